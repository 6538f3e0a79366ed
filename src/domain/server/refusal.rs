//! Why a command was refused. Each `Display` is a sentence for the client.

/// The closed list of refusals. A refused command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Every command but `Create` needs a server.
    #[error("this server does not exist")]
    Missing,
    /// `Create` on an id that is taken.
    #[error("this server exists already")]
    Exists,
    /// The command breaks the limits; the list is never empty.
    #[error("the command is invalid")]
    Invalid(Vec<Violation>),
    /// A deleted server can only be restored.
    #[error("this server is deleted; restore it first")]
    Deleted,
    /// It has no window of this id that is open or to come.
    #[error("there is no such maintenance window, or it is over")]
    NoSuchWindow,
}

/// One broken limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the command's JSON body, as an RFC 6901 pointer.
    pub pointer: String,
    /// What is wrong, as a phrase that follows the field's name.
    pub message: String,
}
