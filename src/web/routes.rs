//! The route table: every address there is.

use crate::web::admission::Operator;
use crate::web::errors::{Code, WebError};
use crate::web::openapi::{self, Document};
use crate::web::state::Web;
use crate::web::{admin, api, layers, pages};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, ResponseError, web};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

/// The application of one worker.
pub fn app(
    shared: web::Data<Web>,
) -> App<impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<impl MessageBody>, Error = Error, InitError = ()>> {
    let with_admin = shared.state.admin;
    let described = App::new().into_utoipa_app().openapi(openapi::base()).configure(|config| {
        public_routes(config);
        if with_admin {
            admin_routes(config);
        }
    });
    let (app, openapi) = described.split_for_parts();
    app.app_data(shared)
        .app_data(web::Data::new(Document::of(&openapi)))
        .configure(pages::routes)
        .default_service(web::to(nothing_here))
        .wrap(Compress::default())
        .wrap(from_fn(layers::around))
}

fn public_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(api::artists::search_artists)
        .service(api::artists::show_artist)
        .service(api::removal_requests::ask_for_removal)
        .service(api::removal_requests::check_proof)
        .service(api::removal_requests::show_removal_request)
        .service(api::styles::list_styles)
        .service(api::health::healthz)
        .service(api::health::readyz)
        .service(api::health::metrics)
        .service(openapi::openapi_json);
}

fn admin_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(admin::sessions::list_sessions)
        .service(admin::sessions::accept_absences)
        .service(admin::sessions::show_session)
        .service(admin::sessions::start_session)
        .service(admin::actors::survey_actors)
        .service(admin::dead_letters::list_dead_letters)
        .service(admin::dead_letters::requeue_dead_letter)
        .service(admin::dead_letters::discard_dead_letter)
        .service(admin::dead_letters::show_dead_letter)
        .service(admin::artists::remove_artist)
        .service(admin::removal_requests::correct_artist)
        .service(admin::identity::split_artist)
        .service(admin::identity::list_identity_conflicts)
        .service(admin::identity::give_identity_key)
        .service(admin::removal_requests::list_removal_requests)
        .service(admin::removal_requests::approve_removal_request)
        .service(admin::removal_requests::refuse_removal_request)
        .service(admin::removal_requests::inspect_removal_request)
        .service(admin::audit::list_audit_rows)
        .service(admin::depth::show_depth);
}

/// Whatever no route took.
async fn nothing_here(request: HttpRequest, document: web::Data<Document>) -> HttpResponse {
    let path = request.path();
    if path.starts_with("/admin/")
        && let Err(refused) = Operator::check(&request)
    {
        return refused.error_response();
    }
    let mut allowed: Vec<&str> = document.allowed(path).iter().map(|method| method.as_str()).collect();
    if !allowed.is_empty() {
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        let allow = allowed.join(", ");
        let detail = format!("{path} does not take {}; it takes {allow}", request.method());
        return WebError { allow: Some(allow), ..WebError::new(Code::MethodNotAllowed, detail) }.error_response();
    }
    let is_api = ["/v1", "/admin", "/openapi"].iter().any(|prefix| path.starts_with(prefix));
    if is_api || !pages::wants_page(&request) {
        return WebError::new(Code::UnknownRoute, format!("there is nothing at {path}; /openapi.json lists the API")).error_response();
    }
    pages::not_found()
}
