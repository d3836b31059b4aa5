//! The driver's errors as the store's: which are unknown outcomes, and sentences that say what to change.

use super::settings::CqlSettings;
use crate::store::StoreError;
use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError, MetadataError, NewSessionError,
    PrepareError, RequestAttemptError,
};

/// Translates a failed statement.
pub(super) fn failed(statement: &str, error: &ExecutionError) -> StoreError {
    match error {
        ExecutionError::LastAttemptError(error) => attempt_failed(statement, error),
        ExecutionError::PrepareError(error) => not_prepared(statement, error),
        ExecutionError::BadQuery(error) => StoreError::Bug(format!("{statement}: {error}")),
        ExecutionError::EmptyPlan => StoreError::Unavailable("no node of our datacenter is up".to_owned()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Translates a statement that could not be prepared.
pub(super) fn not_prepared(statement: &str, error: &PrepareError) -> StoreError {
    match error {
        PrepareError::AllAttemptsFailed { first_attempt } => attempt_failed(statement, first_attempt),
        other => StoreError::Unavailable(other.to_string()),
    }
}

fn attempt_failed(statement: &str, error: &RequestAttemptError) -> StoreError {
    let RequestAttemptError::DbError(kind, message) = error else {
        return StoreError::Unavailable(error.to_string());
    };
    match kind {
        DbError::AuthenticationError => StoreError::Refused(format!("the database refuses our credentials: {message}")),
        DbError::Unauthorized => {
            StoreError::Refused(format!("the database's user may not do this: {message}; grant it SELECT and MODIFY on the keyspace"))
        }
        DbError::Invalid | DbError::ConfigError if is_missing_table(message) => StoreError::Refused(format!(
            "the database lacks a table of this build ({message}); run `inkdex migrate` to bring its schema up to date"
        )),
        DbError::SyntaxError | DbError::Invalid | DbError::ConfigError | DbError::AlreadyExists { .. } | DbError::ProtocolError => {
            StoreError::Bug(format!("the database refuses `{statement}`: {message}"))
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Cassandra says `table x does not exist`, ScyllaDB `unconfigured table x`.
pub(super) fn is_missing_table(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("unconfigured table") || (message.contains("table") && message.contains("does not exist"))
}

/// Whether a conditional write that failed so may have been applied all the same.
pub(super) fn is_unknown(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::BadQuery(_) | ExecutionError::EmptyPlan | ExecutionError::PrepareError(_) => false,
        ExecutionError::ConnectionPoolError(_) => false,
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(kind, _)) => !matches!(
            kind,
            DbError::SyntaxError
                | DbError::Invalid
                | DbError::AlreadyExists { .. }
                | DbError::AuthenticationError
                | DbError::Unauthorized
                | DbError::ConfigError
                | DbError::Unavailable { .. }
                | DbError::IsBootstrapping
                | DbError::Unprepared { .. }
        ),
        ExecutionError::LastAttemptError(
            RequestAttemptError::SerializationError(_)
            | RequestAttemptError::CqlRequestSerialization(_)
            | RequestAttemptError::UnableToAllocStreamId,
        ) => false,
        _ => true,
    }
}

/// Translates a connection that could not be made at the start.
pub(super) fn not_connected(settings: &CqlSettings, error: &NewSessionError) -> StoreError {
    let nodes = settings.node_list();
    if let NewSessionError::FailedToResolveAnyHostname(names) = error {
        return StoreError::Refused(format!(
            "no address is found for the database's nodes {}; correct the names, or name addresses",
            names.join(", ")
        ));
    }
    if let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken { last_connection_error })) = error
    {
        return connection_failed(settings, &nodes, last_connection_error);
    }
    StoreError::Unavailable(format!("no node of the database answers at {nodes}: {error}; start it, or correct the nodes' addresses"))
}

fn connection_failed(settings: &CqlSettings, nodes: &str, error: &ConnectionError) -> StoreError {
    if let ConnectionError::ConnectionSetupRequestError(setup) = error {
        match setup.get_error() {
            ConnectionSetupRequestErrorKind::MissingAuthentication => {
                return StoreError::Refused(format!(
                    "the database at {nodes} asks for credentials and none are set; set the store's user and password"
                ));
            }
            ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError | DbError::Unauthorized, message) => {
                let user = settings.user.as_deref().unwrap_or_default();
                return StoreError::Refused(format!(
                    "the database at {nodes} refuses the user `{user}`: {message}; correct the store's user and password"
                ));
            }
            _ => {}
        }
    }
    let text = error.to_string();
    if text.contains("certificate") {
        let ca_file = settings.ca_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        return StoreError::Refused(format!(
            "the certificate of the database at {nodes} is not trusted: {text}; name the authority that signed it as the store's ca_file \
             (now {ca_file}), and let the certificate name the node's address"
        ));
    }
    if settings.ca_file.is_some() && (text.contains("InvalidContentType") || text.contains("corrupt message")) {
        return StoreError::Refused(format!(
            "the database at {nodes} does not speak TLS: {text}; name its TLS port, or leave the store's ca_file empty"
        ));
    }
    // A node that speaks TLS ends a connection that does not.
    let hint = if settings.ca_file.is_none() && matches!(error, ConnectionError::ConnectionSetupRequestError(_)) {
        "if it wants TLS, name the store's ca_file; else look at it, or correct the nodes' addresses"
    } else {
        "start it, or correct the nodes' addresses"
    };
    StoreError::Unavailable(format!("no node of the database answers at {nodes}: {text}; {hint}"))
}
