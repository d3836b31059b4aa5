//! The OpenAPI document, made from the handlers, and the table of addresses that follows from it.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::{HttpResponse, get, web};
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, PathItem};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Inkdex",
        description = "An open directory of tattoo artists. Everything under `/v1` is public. `/admin/v1` answers to the machine it \
                       runs on only. Errors are RFC 9457 problem details; `/errors` lists their codes.",
        license(name = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "directory", description = "The directory of artists"),
        (name = "health", description = "For load balancers and monitoring"),
        (name = "admin", description = "For operators, on the machine itself")
    )
)]
struct Base;

/// What is true of the whole API; handlers are added as they are registered.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The document as it is served, and the addresses in it.
#[derive(Debug)]
pub struct Document {
    json: String,
    routes: Vec<(ResourceDef, Vec<Method>)>,
    operations: Vec<Described>,
}

impl Document {
    /// From what the handlers declare.
    pub fn of(openapi: &utoipa::openapi::OpenApi) -> Self {
        let json = openapi.to_json().expect("the document is plain data, which always has a JSON form");
        let routes = openapi.paths.paths.iter().map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect();
        let operations = openapi.paths.paths.iter().flat_map(|(path, item)| described(path, item)).collect();
        Self { json, routes, operations }
    }

    /// What can be asked, for people: by address, then method.
    pub fn operations(&self) -> &[Described] {
        &self.operations
    }

    /// The methods that an address of the API takes; none if there is no such address.
    pub fn allowed(&self, path: &str) -> Vec<&Method> {
        self.routes.iter().filter(|(route, _)| route.is_match(path)).flat_map(|(_, methods)| methods).collect()
    }
}

/// An operation as a person reads it.
#[derive(Debug, Clone)]
pub struct Described {
    /// `GET`.
    pub method: Method,
    /// `/v1/artists/{id}`.
    pub path: String,
    /// What it does.
    pub summary: String,
    /// Names of parameters, and what to write.
    pub parameters: Vec<(String, String)>,
}

impl Described {
    /// Whether it is for operators, on the machine itself.
    pub fn is_admin(&self) -> bool {
        self.path.starts_with("/admin/")
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let known = [(&item.get, Method::GET), (&item.post, Method::POST), (&item.put, Method::PUT), (&item.delete, Method::DELETE)];
    known.into_iter().filter_map(|(operation, method)| Some((method, operation.as_ref()?)))
}

fn methods(item: &PathItem) -> Vec<Method> {
    operations(item).map(|(method, _)| method).collect()
}

/// Text for a page, where backticks mean nothing.
fn without_marks(text: Option<&str>) -> String {
    text.unwrap_or_default().replace('`', "")
}

fn described(path: &str, item: &PathItem) -> Vec<Described> {
    let of = |(method, operation): (Method, &Operation)| {
        let parameters = operation.parameters.iter().flatten().filter_map(|one| match one {
            RefOr::T(one) => Some((one.name.clone(), without_marks(one.description.as_deref()))),
            RefOr::Ref(_) => None,
        });
        let summary = without_marks(operation.summary.as_deref().or(operation.description.as_deref()));
        Described { method, path: path.to_owned(), summary, parameters: parameters.collect() }
    };
    operations(item).map(of).collect()
}

/// This description.
#[utoipa::path(tag = "health", responses((status = 200, description = "The OpenAPI document", body = Object)))]
#[get("/openapi.json")]
pub async fn openapi_json(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.json.clone())
}
