//! Passwords that are guessed first: common ones in their usual disguises, runs along the keyboard, the owner's own name.
//! A rule of thumb that costs nothing; the bound on attempts (`security/limits.rs`) does the rest.

use super::input::Password;
use super::refusal::Refusal;

/// Fewer different characters than this are a pattern, not a password.
const DISTINCT_MIN: usize = 5;
/// Characters that must be left when the owner's names are taken out.
const WITHOUT_NAMES_MIN: usize = 6;
/// A name shorter than this is found in passwords by chance.
const NAME_CHARS_MIN: usize = 4;

/// What lists of leaked passwords begin with, as letters only: digits and signs around them are tried by every guesser.
const COMMON: &[&str] = &[
    "abcabc",
    "abcdef",
    "access",
    "admin",
    "administrator",
    "asdfgh",
    "asdfghjkl",
    "baseball",
    "batman",
    "changeme",
    "charlie",
    "cheese",
    "computer",
    "default",
    "donald",
    "dragon",
    "facebook",
    "flower",
    "football",
    "freedom",
    "google",
    "guest",
    "hello",
    "helloworld",
    "hottie",
    "iloveyou",
    "jesus",
    "killer",
    "letmein",
    "letmeinplease",
    "login",
    "lovely",
    "loveme",
    "master",
    "michael",
    "monkey",
    "mustang",
    "mynoob",
    "ninja",
    "nothing",
    "pass",
    "passw",
    "password",
    "passwordpassword",
    "passwort",
    "photos",
    "pokemon",
    "princess",
    "qazwsx",
    "qazwsxedc",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "secret",
    "shadow",
    "solo",
    "starwars",
    "sunshine",
    "superman",
    "supersecret",
    "test",
    "testtest",
    "thisisapassword",
    "trustno",
    "unknown",
    "user",
    "welcome",
    "whatever",
    "yourpassword",
    "zaqwsx",
    "zxcvbn",
    "zxcvbnm",
];

const ROWS: [&str; 5] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop"];

/// Refuses a password that would be among the first tried; `names` are what a guesser knows of the owner.
///
/// # Errors
/// [`Refusal::PasswordWeak`].
pub fn check(password: &Password, names: &[&str]) -> Result<(), Refusal> {
    let folded = password.as_str().to_lowercase();
    let weak = distinct(&folded) < DISTINCT_MIN
        || is_common(&folded)
        || is_run(&folded)
        || without_names(&folded, names) < WITHOUT_NAMES_MIN;
    if weak { Err(Refusal::PasswordWeak) } else { Ok(()) }
}

fn distinct(text: &str) -> usize {
    text.chars().collect::<std::collections::HashSet<char>>().len()
}

/// Letters only, digits and signs that stand for letters undone, what is left around them dropped.
fn is_common(folded: &str) -> bool {
    let plain: String = folded.chars().filter(|c| c.is_alphabetic()).collect();
    let undisguised: String = folded
        .trim_end_matches(|c: char| !c.is_alphabetic())
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .filter(|c| c.is_alphabetic())
        .collect();
    [plain, undisguised].iter().any(|stem| COMMON.contains(&stem.as_str()))
}

/// Whether most characters follow from the one before: `abcdefghij`, `9876543210`, `qwertyuiop`, `aaaabbbbcc`.
fn is_run(folded: &str) -> bool {
    let characters: Vec<char> = folded.chars().collect();
    let follows = characters.windows(2).filter(|pair| follow(pair[0], pair[1])).count();
    follows * 10 >= (characters.len() - 1) * 7
}

fn follow(one: char, next: char) -> bool {
    let along = |row: &str| {
        let at = |c| row.chars().position(|known| known == c);
        at(one).zip(at(next)).is_some_and(|(one, next)| one.abs_diff(next) <= 1)
    };
    (one as u32).abs_diff(next as u32) <= 1 || ROWS.into_iter().any(along)
}

fn without_names(folded: &str, names: &[&str]) -> usize {
    let mut rest = folded.to_owned();
    let folded_names = names.iter().map(|name| name.to_lowercase());
    for name in folded_names.filter(|name| name.chars().count() >= NAME_CHARS_MIN) {
        rest = rest.replace(&name, "");
    }
    rest.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<(), Refusal> {
        check(&Password::parse(text.to_owned()).unwrap(), &["gerard", "gerard.lim"])
    }

    #[test]
    fn what_is_guessed_first_is_refused_in_any_disguise() {
        for weak in [
            "Password123",
            "P@ssw0rd2026!",
            "password!!",
            "1234567890",
            "9876543210",
            "abcdefghijkl",
            "qwertyuiop",
            "QWERTYUIOP123",
            "aaaaaaaaaa",
            "abababababab",
            "l3tm31n2026",
            "iloveyou1234",
            "gerard.lim1",
            "Gerard12345",
            "welcome2026",
        ] {
            assert_eq!(verdict(weak), Err(Refusal::PasswordWeak), "{weak}");
        }
    }

    #[test]
    fn a_few_words_or_a_random_string_are_fine() {
        for strong in [
            "kopi-o-kosong",
            "a-long-enough-password",
            "kopitiam-2026",
            "xK7#pQ2!mZ",
            "Gerard drinks teh tarik",
        ] {
            assert_eq!(verdict(strong), Ok(()), "{strong}");
        }
    }
}
