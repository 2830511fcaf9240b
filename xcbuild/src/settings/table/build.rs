//! What overlays are built with.

use std::time::Duration;

use super::BUILD;
use crate::settings::definition::{Definition, Kind, settings};

settings! {
    /// What overlays are built with.
    pub(crate) struct BuildSettings {
        /// The topology: a name, or the path of a file
        topology: String = Definition::new("TOPOLOGY", Kind::Text)
            .defaults(&[xc_overlay::DEFAULT_TOPOLOGY]).scripts();
        /// The variants of overlays
        setup: Vec<String> = Definition::new("SETUP", Kind::Words(',')).scripts();
        /// Overlays that are always added
        always: Vec<String> = Definition::new("XOVLS", Kind::Words(' ')).scripts();
        /// The bytes that a compressed tar may become, as 20G
        unpack_max: Option<u64> = Definition::new("__unpack_max", Kind::Bytes(1000)).neutral()
            .option("unpack-max", "BYTES").verbs(&[&["mkcdrom"]])
            .origin("100 times its own, 1G to 16G");
        /// End a script that takes longer than so many seconds
        script_timeout: Option<Duration> =
            Definition::new("__script_timeout", Kind::Number(1, 604_800)).neutral()
            .option("script-timeout", "SECONDS").verbs(&[&["mkcdrom"]]).origin("1800");
        /// `off`: scripts are run unwatched, and every time
        trace: Option<String> = Definition::new("XCBUILD_TRACE", Kind::Text);
    }
}

settings! {
    /// How builds are done.
    pub(crate) struct WorkSettings {
        /// How many things to do at once
        jobs: Option<usize> = Definition::new("__jobs", Kind::Number(1, 1024)).neutral()
            .option("jobs", "N").short('j').verbs(&[BUILD]).origin("one for each core");
    }
}
