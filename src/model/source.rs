//! Where a topology comes from when it comes from git: what `[git]` says in the file that `wheelwright run --source` names.
//!
//! That file lies beside the service and not in the repository: who may change the topology must not be able to change whose
//! signature it takes to change the topology.

use super::settings::Secret;

/// A branch or tag of a remote repository, and what of it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSettings {
    /// Which repository.
    pub remote: Remote,
    /// Which of its commits: the newest of a branch, or what a tag names.
    pub reference: Reference,
    /// The config folder within the repository, with `/` between its parts; empty for the repository itself.
    pub path: String,
    /// Seconds between two looks at the remote.
    pub poll_secs: u32,
    /// Seconds after which a fetch is given up.
    pub fetch_secs_max: u32,
    /// MiB that one fetch may bring at most.
    pub fetch_mib_max: u32,
    /// Whether a commit that does not descend from the one in use is used all the same.
    pub allow_rewritten: bool,
    /// The one commit (all of its digits) that is used although it does not descend from the one in use.
    pub accept_commit: Option<String>,
    /// Whose signature a commit must bear; none: anybody's, or nobody's.
    pub signers: Option<Signers>,
    /// What a forge proves by that it is the one that calls `POST /hooks/git`; none: nobody is heard there.
    pub hook_secret: Option<Secret>,
}

/// How a repository is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// `https://…`, or `http://` to this machine.
    Http {
        /// The URL, without a user.
        url: String,
        /// The user that goes with the token.
        user: String,
        /// What proves that we may read it; none for a public one.
        token: Option<Secret>,
    },
    /// `ssh://user@host/path` or `user@host:path`, by the `ssh` program.
    Ssh {
        /// The URL.
        url: String,
        /// The file of the private key; none: what `ssh` finds by itself.
        key_file: Option<String>,
        /// The file of the host's public keys; none: what `ssh` finds by itself. A host that is not in it is refused.
        known_hosts_file: Option<String>,
    },
}

impl Remote {
    /// The URL, which holds no secret.
    pub fn url(&self) -> &str {
        match self {
            Self::Http { url, .. } | Self::Ssh { url, .. } => url,
        }
    }
}

/// A branch or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The newest commit of this branch.
    Branch(String),
    /// The commit of this tag, wherever it is moved.
    Tag(String),
}

impl Reference {
    /// Its full name in the remote repository.
    pub fn full_name(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "branch {name}"),
            Self::Tag(name) => write!(f, "tag {name}"),
        }
    }
}

/// Who may sign: at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    /// An `allowed_signers` file, as `ssh-keygen` reads it (<https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS>).
    pub ssh_file: Option<String>,
    /// A keyring of OpenPGP public keys, every one of which is trusted.
    pub openpgp_keyring_file: Option<String>,
}
