//! The Slack hook of the options, as wherefore has it.
//!
//! Takes the values of the options; gives a receiver. Must not know where the values were given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::notify::{AlertSelection, ReceiverConfig, SecretSource, Vendor};

/// The name of the receiver that the Slack options define.
pub(super) const SLACK: &str = "slack";
/// The longest time of one attempt, unless the receiver says otherwise.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);

/// The values of the options `-slack_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackHook {
    /// The URL of the hook; without one, and without a file, there is no receiver.
    pub url: Option<SecretSource>,
    /// The file with the URL.
    pub url_file: Option<PathBuf>,
    /// The channel.
    pub channel: Option<String>,
    /// The emoji in place of the icon, such as `:warning:`.
    pub emoji: Option<String>,
    /// The URL of the icon.
    pub icon: Option<String>,
}

impl Default for SlackHook {
    /// The defaults of wherefore.
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            channel: Some("#wherefore".to_owned()),
            emoji: Some(":warning:".to_owned()),
            icon: Some("https://cdn4.iconfinder.com/data/icons/proglyphs-free/512/Invader_1-128.png".to_owned()),
        }
    }
}

impl SlackHook {
    /// The receiver; none if no URL is given. The configuration gives one of both.
    pub(super) fn receiver(&self) -> Option<ReceiverConfig> {
        let of_file = self.url_file.clone().map(SecretSource::File);
        let url = of_file.or_else(|| self.url.clone())?;
        let Self { channel, emoji, icon, .. } = self.clone();
        Some(ReceiverConfig {
            name: SLACK.to_owned(),
            vendor: Vendor::Slack { channel, emoji, icon },
            url: Some(url),
            timeout: ATTEMPT,
            headers: BTreeMap::new(),
            ca_file: None,
            selection: AlertSelection::default(),
        })
    }
}
