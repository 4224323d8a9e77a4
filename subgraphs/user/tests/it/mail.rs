//! Mail on its way out: over SMTP to a server of the test, into the folder, and again after a refusal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::shops;
use chrono::Duration;
use kopitiam_kit::time;
use kopitiam_user::domain::letter::Written;
use kopitiam_user::mail::{Mail, MailError, MailboxFolder, Mailer, PostOffice, SmtpMailer};
use kopitiam_user::store::mails;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use uuid::Uuid;

fn mail() -> Mail {
    let written = Written {
        subject: "Kopi is ready".into(),
        text: "Come and get it.".into(),
        html: "<p>Come.</p>".into(),
    };
    Mail { id: Uuid::now_v7(), to: "bob@shop.example".into(), written }
}

/// Takes one message and gives the lines that the client sent.
async fn server(listener: TcpListener) -> Vec<String> {
    let (stream, _) = listener.accept().await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut heard = Vec::new();
    writer.write_all(b"220 test ESMTP\r\n").await.unwrap();
    let mut in_message = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.as_str() {
            "." => {
                in_message = false;
                "250 taken"
            }
            _ if in_message => "",
            "DATA" => {
                in_message = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            command if command.starts_with("EHLO") => "250 test",
            _ => "250 fine",
        };
        heard.push(line);
        if !answer.is_empty() {
            writer.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
        if answer.starts_with("221") {
            break;
        }
    }
    heard
}

#[tokio::test]
async fn a_letter_arrives_over_smtp_in_both_forms() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(server(listener));
    let mailer = SmtpMailer::new(&url, "Kopitiam <shop@kopitiam.example>".parse().unwrap()).unwrap();
    let mail = mail();
    mailer.send(&mail).await.unwrap();
    drop(mailer);
    let heard = server.await.unwrap().join("\n");
    for part in [
        "MAIL FROM:<shop@kopitiam.example>",
        "RCPT TO:<bob@shop.example>",
        "Subject: Kopi is ready",
        &format!("Message-ID: <{}@kopitiam.example>", mail.id),
        "Come and get it.",
        "<p>Come.</p>",
    ] {
        assert!(heard.contains(part), "no `{part}` in {heard}");
    }
}

#[tokio::test]
async fn the_folder_holds_one_file_for_each_letter_even_when_it_is_sent_twice() {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().join("mailbox");
    let mailer = MailboxFolder::new(folder.clone(), "shop@kopitiam.example".parse().unwrap());
    let mail = mail();
    for _ in 0..2 {
        mailer.send(&mail).await.unwrap();
    }
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [format!("{}.eml", mail.id).as_str()]);
    let refused = mailer.send(&Mail { to: "no address".into(), ..mail }).await;
    assert!(matches!(refused, Err(MailError::Address(_))));
}

/// Refuses the first letters.
struct Moody {
    refusals: AtomicU32,
    taken: AtomicU32,
}

#[async_trait::async_trait]
impl Mailer for Moody {
    async fn send(&self, _mail: &Mail) -> Result<(), MailError> {
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            return Err(MailError::Folder(std::io::Error::other("not now")));
        }
        self.taken.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn a_refused_letter_waits_and_goes_once_and_two_senders_send_it_once() {
    for shop in shops().await {
        shop.register("bob").await;
        let mailer = Arc::new(Moody { refusals: AtomicU32::new(1), taken: AtomicU32::new(0) });
        let office = || PostOffice::new(shop.db.db().clone(), mailer.clone(), "https://shop.example");
        let now = time::now();
        assert_eq!(office().send_due(now).await.unwrap(), 0);
        assert_eq!(office().send_due(now + Duration::seconds(1)).await.unwrap(), 0, "it waits");
        let later = now + Duration::seconds(31);
        let (one, two) = (office(), office());
        let (one, two) = tokio::join!(one.send_due(later), two.send_due(later));
        assert_eq!(one.unwrap() + two.unwrap(), 1);
        assert_eq!(mailer.taken.load(Ordering::SeqCst), 1);
        assert_eq!(mails::waiting(&shop.db).await.unwrap(), 0);
    }
}
