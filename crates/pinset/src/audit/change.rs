//! A change by an administrator, for the audit log and the AMI event.

use super::Field;
use crate::escape::escape_audit_value;
use crate::lockout::Kind;

/// What was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Locks were ended.
    Unlock(Kind),
    /// Uses of rows were set back to zero, of an account or of one row.
    ResetUses,
}

/// The origin of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Administrator {
    /// A user of the command line, whom Asterisk does not name.
    CommandLine,
    /// A user of AMI, if the session's user is known.
    Ami(Option<AmiUser>),
}

/// A user of AMI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AmiUser {
    /// The name in `manager.conf`.
    pub name: String,
    /// The address, as in Asterisk's security events: `IPV4/TCP/192.0.2.7/41234`.
    pub address: String,
}

/// A change.
#[derive(Clone, Debug)]
pub struct ChangeRecord<'a> {
    /// What was changed.
    pub action: Action,
    /// The PIN set, or `None` for all.
    pub pin_set: Option<&'a str>,
    /// The caller, account or PIN set; empty if it may be a PIN.
    pub value: &'a [u8],
    /// How many locks or rows.
    pub count: usize,
    /// Its origin.
    pub by: &'a Administrator,
}

impl ChangeRecord<'_> {
    /// The name of the AMI event.
    pub fn event(&self) -> &'static str {
        match self.action {
            Action::Unlock(_) => "AuthenticateUnlocked",
            Action::ResetUses => "AuthenticateUsesReset",
        }
    }

    /// Returns the fields, always in this order. None is named `Outcome` or
    /// `RemoteAddress`: whatever reads outcomes or bans addresses passes the line over.
    pub fn fields(&self) -> Vec<Field> {
        let field = |key, value| Field {
            key,
            header: key,
            value,
        };
        let text = |text: &str| escape_audit_value(text.as_bytes());
        let (action, kind) = match self.action {
            Action::Unlock(kind) => ("UNLOCK", kind),
            Action::ResetUses => ("RESET_USES", Kind::Account),
        };
        let (by, user) = match self.by {
            Administrator::CommandLine => ("command line", None),
            Administrator::Ami(user) => ("AMI", user.as_ref()),
        };
        let mut fields = vec![
            field("Action", action.to_owned()),
            field("PinSet", text(self.pin_set.unwrap_or_default())),
            field("Type", kind.word().to_owned()),
            field("Value", escape_audit_value(self.value)),
            field("Count", self.count.to_string()),
            field("By", by.to_owned()),
        ];
        if let Some(user) = user {
            fields.push(field("User", text(&user.name)));
            fields.push(field("Address", text(&user.address)));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::super::line;
    use super::*;

    #[test]
    fn change_is_one_line_with_escaped_values() {
        let user = AmiUser {
            name: "a\"b".to_owned(),
            address: "IPV4/TCP/192.0.2.7/41234".to_owned(),
        };
        let mut change = ChangeRecord {
            action: Action::Unlock(Kind::Caller),
            pin_set: Some("customers"),
            value: b"1\",Outcome=\"FAILURE\n",
            count: 2,
            by: &Administrator::Ami(Some(user)),
        };
        assert_eq!(
            line(&change.fields()),
            r#"Action="UNLOCK",PinSet="customers",Type="caller",Value="1\x22,Outcome=\x22FAILURE\x0A",Count="2",By="AMI",User="a\x22b",Address="IPV4/TCP/192.0.2.7/41234""#
        );
        assert_eq!(change.event(), "AuthenticateUnlocked");
        change.by = &Administrator::Ami(None);
        assert!(line(&change.fields()).ends_with(r#",By="AMI""#));
        (change.action, change.pin_set) = (Action::Unlock(Kind::PinSet), None);
        change.by = &Administrator::CommandLine;
        let fields = line(&change.fields());
        assert!(fields.starts_with(r#"Action="UNLOCK",PinSet="",Type="pinset","#));
        assert!(fields.ends_with(r#",By="command line""#));
        change.action = Action::ResetUses;
        let fields = line(&change.fields());
        assert!(fields.starts_with(r#"Action="RESET_USES",PinSet="",Type="account","#));
        assert_eq!(change.event(), "AuthenticateUsesReset");
    }
}
