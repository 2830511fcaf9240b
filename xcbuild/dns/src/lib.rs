//! Forwarding, caching DNS proxy.
