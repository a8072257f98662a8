//! The configuration files of a test Asterisk.

use crate::module::{Module, OURS, THEIRS};
use crate::report::{template, EXPRESSIONS, USER_EVENT};

/// What every test Asterisk loads. `cdr_csv` comes after `cdr_manager`: the
/// back end loaded last writes first, so that the row is in the file when
/// the event arrives.
const MODULES: &[&str] = &[
    "pbx_config",
    "res_timing_timerfd",
    "bridge_simple",
    "format_gsm",
    "format_wav",
    "format_pcm",
    "format_sln",
    "codec_gsm",
    "codec_ulaw",
    "codec_alaw",
    "codec_resample",
    "app_db",
    "app_echo",
    "app_exec",
    "app_playback",
    "app_read",
    "app_senddtmf",
    "app_stack",
    "app_userevent",
    "app_verbose",
    "app_originate",
    "app_softhangup",
    "app_system",
    "func_base64",
    "func_callerid",
    "func_cdr",
    "func_channel",
    "func_db",
    "func_env",
    "func_global",
    "func_logic",
    "func_math",
    "func_md5",
    "func_strings",
    "func_timeout",
    "res_clioriginate",
    "res_curl",
    "res_http_media_cache",
    "cdr_manager",
    "cdr_csv",
];

const PJSIP: &[&str] = &[
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_rtp_asterisk",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_pjsip_sdp_rtp",
    "res_pjsip_acl",
    "res_pjsip_authenticator_digest",
    "res_pjsip_caller_id",
    "res_pjsip_dtmf_info",
    "res_pjsip_endpoint_identifier_anonymous",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_nat",
    "res_pjsip_registrar",
    "res_pjsip_rfc3326",
    "chan_pjsip",
    "func_pjsip_endpoint",
];

/// The context SIP calls come into.
pub(crate) const PHONES: &str = "phones";

/// What is chosen for a test Asterisk.
#[derive(Debug)]
pub(crate) struct Config {
    pub module: Module,
    pub modules: String,
    pub dialplan: String,
    pub phones: String,
    pub files: Vec<(String, Vec<u8>)>,
    pub pjsip: bool,
    pub pjsip_bind: String,
    pub pjsip_account: Option<(String, String)>,
    pub debug: u32,
    pub ami_port: u16,
    pub ami_secret: String,
}

impl Config {
    /// All files for the configuration directory. A file the test gives
    /// comes last and so replaces ours.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = [
            ("asterisk.conf", self.asterisk()),
            ("modules.conf", self.modules()),
            ("extensions.conf", self.extensions()),
            ("manager.conf", self.manager()),
            ("logger.conf", LOGGER.to_owned()),
            ("cdr.conf", CDR.to_owned()),
            ("cdr_manager.conf", "[general]\nenabled = yes\n".to_owned()),
            ("pjsip.conf", self.pjsip()),
            // Missing, these are errors in the log that are nobody's fault.
            ("rtp.conf", "[general]\n".to_owned()),
            ("features.conf", "[general]\n".to_owned()),
            ("acl.conf", String::new()),
            ("ccss.conf", "[general]\n".to_owned()),
            ("cel.conf", "[general]\n".to_owned()),
            ("cli_permissions.conf", "[general]\n".to_owned()),
            ("http.conf", "[general]\n".to_owned()),
            ("indications.conf", INDICATIONS.to_owned()),
            ("pjproject.conf", String::new()),
            ("res_http_media_cache.conf", "[general]\n".to_owned()),
            ("sorcery.conf", String::new()),
            ("stasis.conf", String::new()),
            ("udptl.conf", "[general]\n".to_owned()),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into_bytes()))
        .collect();
        files.extend(self.files.iter().cloned());
        files
    }

    /// A caller's phone sends sound all the time: with `transmit_silence`
    /// the far half of a test call does, too.
    fn asterisk(&self) -> String {
        format!(
            "[directories]\n\
             astdbdir => /harness/db\n\
             [options]\n\
             debug = {}\n\
             nocolor = yes\n\
             transmit_silence = yes\n\
             documentation_language = en_US\n",
            self.debug
        )
    }

    fn modules(&self) -> String {
        let mut text = String::from("[modules]\n");
        if self.module == Module::Autoload {
            text.push_str("autoload = yes\n");
        } else {
            text.push_str("autoload = no\n");
            let pjsip: &[&str] = if self.pjsip { PJSIP } else { &[] };
            for name in MODULES.iter().chain(pjsip) {
                text.push_str(&format!("load = {name}.so\n"));
            }
        }
        match self.module {
            Module::Ours => text.push_str(&format!("noload = {THEIRS}\nload = {OURS}\n")),
            Module::Theirs => text.push_str(&format!("load = {THEIRS}\n")),
            Module::None | Module::Autoload => {}
        }
        text + &self.modules
    }

    /// A call enters at `start`, which does what `H_STEP_0` to
    /// `H_STEP_{H_STEPS-1}` say and goes to `H_GOTO`. Whatever a comma or a
    /// quote could spoil on its way through AMI comes in base64.
    fn extensions(&self) -> String {
        let report = report_step();
        let defaults: Vec<String> = EXPRESSIONS.iter().map(|name| (*name).to_owned()).collect();
        format!(
            "[globals]\n\
             H_REPORT = {template}\n\
             \n\
             [harness]\n\
             exten => start,1,Set(H_STEP=0)\n \
             same => n(next),GotoIf($[${{H_STEP}} = ${{H_STEPS}}]?ready)\n \
             same => n,Exec(${{BASE64_DECODE(${{H_STEP_${{H_STEP}}}})}})\n \
             same => n,Set(H_STEP=$[${{H_STEP}} + 1])\n \
             same => n,Goto(next)\n \
             same => n(ready),Goto(${{BASE64_DECODE(${{H_GOTO}})}})\n\
             \n\
             [harness-call]\n\
             exten => plain,1,Authenticate(${{BASE64_DECODE(${{H_ARGS}})}})\n \
             same => n,{report}\n \
             same => n,Hangup()\n\
             exten => bare,1,Authenticate()\n \
             same => n,{report}\n \
             same => n,Hangup()\n\
             exten => jump,1,Authenticate(${{BASE64_DECODE(${{H_ARGS}})}})\n \
             same => n,{report}\n \
             same => n,Hangup()\n\
             exten => jump,102,{report}\n \
             same => n,Hangup()\n\
             include => harness-h\n\
             \n\
             [harness-h]\n\
             exten => h,1,{report}\n\
             \n\
             [{PHONES}]\n\
             include => harness-h\n\
             {phones}\n\
             {dialplan}\n",
            template = template(&defaults),
            phones = self.phones,
            dialplan = self.dialplan,
        )
    }

    fn manager(&self) -> String {
        format!(
            "[general]\n\
             enabled = yes\n\
             port = {}\n\
             bindaddr = 127.0.0.1\n\
             timestampevents = yes\n\
             [harness]\n\
             secret = {}\n\
             read = all\n\
             write = all\n\
             writetimeout = 10000\n",
            self.ami_port, self.ami_secret
        )
    }

    fn pjsip(&self) -> String {
        let mut text = format!(
            "[global]\n\
             type = global\n\
             endpoint_identifier_order = username,ip,anonymous\n\
             [transport]\n\
             type = transport\n\
             protocol = udp\n\
             bind = {}\n",
            self.pjsip_bind
        );
        let endpoint = format!(
            "type = endpoint\ncontext = {PHONES}\ndisallow = all\nallow = ulaw,alaw\n\
             dtmf_mode = rfc4733\ndirect_media = no\n"
        );
        match &self.pjsip_account {
            None => {
                for (name, mode) in [
                    ("anonymous", "rfc4733"),
                    ("info", "info"),
                    ("inband", "inband"),
                ] {
                    let endpoint = endpoint.replace("rfc4733", mode);
                    text.push_str(&format!("[{name}]\n{endpoint}"));
                }
            }
            Some((user, password)) => text.push_str(&format!(
                "[{user}]\n{endpoint}auth = {user}\naors = {user}\nrewrite_contact = yes\n\
                 [{user}]\ntype = auth\nauth_type = userpass\nusername = {user}\n\
                 password = {password}\n\
                 [{user}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n"
            )),
        }
        text
    }
}

/// The dialplan step that reports a call's variables. Base64 again: an event
/// carries no line break and no byte that is not UTF-8. The dot keeps it
/// from encoding nothing, which is an error.
pub(crate) fn report_step() -> String {
    format!(
        "UserEvent({USER_EVENT},Values: \
         ${{BASE64_ENCODE(.${{EVAL(${{BASE64_DECODE(${{H_REPORT}})}})}})}})"
    )
}

const LOGGER: &str = "[general]\n\
    dateformat = %F %T.%3q\n\
    [logfiles]\n\
    full => notice,warning,error,verbose(5),debug,dtmf,security\n";

/// Unanswered calls have a row as well: early media ends in one.
const CDR: &str = "[general]\n\
    enable = yes\n\
    unanswered = yes\n\
    batch = no\n\
    [csv]\n\
    loguniqueid = yes\n\
    accountlogs = no\n";

const INDICATIONS: &str = "[general]\n\
    country = us\n\
    [us]\n\
    description = United States\n\
    dial = 350+440\n";
