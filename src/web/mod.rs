//! HTTP: route table, auth, errors, one file a resource, pages.
