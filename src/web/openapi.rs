//! The OpenAPI document, made from the handlers, and the table of addresses that follows from it.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::{HttpResponse, get, web};
use utoipa::OpenApi;
use utoipa::openapi::path::PathItem;

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
}

impl Document {
    /// From what the handlers declare.
    pub fn of(openapi: &utoipa::openapi::OpenApi) -> Self {
        let json = openapi.to_json().expect("the document is plain data, which always has a JSON form");
        let routes = openapi.paths.paths.iter().map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect();
        Self { json, routes }
    }

    /// The methods that an address of the API takes; none if there is no such address.
    pub fn allowed(&self, path: &str) -> Vec<&Method> {
        self.routes.iter().filter(|(route, _)| route.is_match(path)).flat_map(|(_, methods)| methods).collect()
    }
}

fn methods(item: &PathItem) -> Vec<Method> {
    let known = [(&item.get, Method::GET), (&item.post, Method::POST), (&item.put, Method::PUT), (&item.delete, Method::DELETE)];
    known.into_iter().filter(|(operation, _)| operation.is_some()).map(|(_, method)| method).collect()
}

/// This description.
#[utoipa::path(tag = "health", responses((status = 200, description = "The OpenAPI document", body = Object)))]
#[get("/openapi.json")]
pub async fn openapi_json(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.json.clone())
}
