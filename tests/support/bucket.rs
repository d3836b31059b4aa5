//! Buckets on moto.

use super::exchange::exchange;

/// Makes a bucket, as whoever sets up the production does.
pub fn create(endpoint: &str, bucket: &str) {
    let server = endpoint.trim_start_matches("http://");
    let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let length = place.len();
    let request = format!("PUT /{bucket} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{place}");
    let answer = exchange(server.parse().unwrap(), request.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
}
