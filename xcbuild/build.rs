//! Build script: the nodes' static DNS server, which the binary carries.

#[path = "build/xc_dns.rs"]
mod xc_dns;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    xc_dns::build_static()
}
