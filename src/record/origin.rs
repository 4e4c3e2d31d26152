//! Where a trail comes from.

/// The service instance and trail that records come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Origin {
    /// The trail's id, which names its directory.
    pub trail: uuid::Uuid,
    /// `service.name` of the process that made the trail.
    pub service: String,
    /// `service.instance.id` of the process that made the trail, when it has one.
    pub instance: Option<String>,
}

impl Origin {
    /// An origin with this trail id and service name.
    #[must_use]
    pub fn new(trail: uuid::Uuid, service: impl Into<String>, instance: Option<String>) -> Self {
        Self {
            trail,
            service: service.into(),
            instance,
        }
    }
}
