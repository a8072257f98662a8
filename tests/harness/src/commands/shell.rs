//! `harness shell`.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use harness::{free_port, random_word, Pbx};

use super::{module, Whose};

/// Where to listen, whose module to load.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address the SIP phone reaches us at, with or without a port.
    #[arg(long, default_value = "127.0.0.1", value_parser = address)]
    bind: SocketAddr,
    /// Whose Authenticate; AUTHENTICATE_UNDER_TEST, else ours, without it.
    #[arg(long)]
    module: Option<Whose>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .or_else(|_| {
            text.parse()
                .map(|address: IpAddr| SocketAddr::new(address, 0))
        })
        .map_err(|_| "neither an address nor an address with a port".to_owned())
}

const USER: &str = "phone";

/// Number, arguments of Authenticate, what it is.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    ("600", "1234", "the PIN is 1234"),
    (
        "601",
        "/pins/doors,a",
        "the PINs in /pins/doors: 1234, 5678",
    ),
    ("602", "/tickets,dr", "one-time PINs in astdb: 7777, 8888"),
    ("603", ",a", "an empty password"),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let bind = match arguments.bind.port() {
        // Free now, and nobody else is likely to take it in the next second.
        0 => UdpSocket::bind(arguments.bind)
            .and_then(|socket| socket.local_addr())
            .with_context(|| format!("no free port on {}", arguments.bind.ip()))?,
        _ => arguments.bind,
    };
    let ami = free_port()?;
    let password = random_word();
    let mut builder = Pbx::builder().module(module(arguments.module)?).on_host(
        &bind.to_string(),
        USER,
        &password,
        ami,
    );
    for (extension, args, _) in EXTENSIONS {
        builder = builder.phone_dialplan(&format!(
            "exten => {extension},1,Authenticate({args})\n \
             same => n,Playback(hello-world)\n \
             same => n,Hangup()"
        ));
    }
    let pbx = builder.start()?;
    pbx.pin_file("doors", "1234\n5678\n")?;
    for ticket in ["7777", "8888"] {
        pbx.db_put("tickets", ticket, "1")?;
    }

    println!("SIP account for a phone, over UDP:");
    println!("  server    {bind}\n  user      {USER}\n  password  {password}");
    println!("Extensions:");
    for (extension, args, what) in EXTENSIONS {
        println!("  {extension}  Authenticate({args})  {what}");
    }
    if !std::io::stdin().is_terminal() {
        println!("The PBX runs until stdin ends.");
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        return Ok(());
    }
    println!("This is Asterisk's console; exit ends it all.\n");
    pbx.exec_at_terminal(&["asterisk", "-rvvv"])
        .status()
        .context("can't open the console")?;
    Ok(())
}
