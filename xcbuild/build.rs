//! Build script: what the binary carries.

#[path = "build/embed.rs"]
mod embed;
#[path = "build/xc_dns.rs"]
mod xc_dns;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    embed::overlays_and_templates()?;
    xc_dns::build_static()
}
