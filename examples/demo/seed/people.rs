//! Somebody, at a company, with an application.

use tower_audit::{
    Actor,
    record::{Application, Context, Tenant},
};

use super::{
    companies::{APPLICATIONS, COMPANIES},
    dice::Dice,
};

/// Somebody, somewhere, with something.
pub(super) struct Person {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) tenant: Tenant,
    pub(super) application: Application,
    pub(super) context: Context,
}

impl Person {
    pub(super) fn any(dice: &mut Dice) -> Option<Self> {
        let (tenant, company, domain, people) = dice.favour(&COMPANIES)?;
        let (id, name, address) = *dice.favour(people)?;
        let (application, shown, agent) = *dice.weighed(&APPLICATIONS)?;
        // As the keyed hash of a session's id looks.
        let session: String = (0..4)
            .map(|_| format!("{:016x}", dice.below(u64::MAX)))
            .collect();
        let context = Context::new()
            .ip_address(address)
            .user_agent(agent)
            .session_id(format!("hmac-sha256:seed:{session}"))
            .request_id(format!("{:016x}", dice.below(u64::MAX)));
        Some(Self {
            id,
            name,
            tenant: Tenant::new(*tenant).name(*company).domain(*domain),
            application: Application::new(application).name(shown),
            context,
        })
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::user(self.id).name(self.name).auth_method("password")
    }
}
