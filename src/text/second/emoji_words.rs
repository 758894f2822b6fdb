//! Words for emoji whose names in Unicode do not say what people mean by them: `red heart` is love, `party popper` a
//! celebration. A name that says it (`smiling face`, `broken heart`) stays.

/// Emoji without skin tone and without style at the end, those of a line with the same words.
const WORDS: &[(&str, &str)] = &[
    // Hearts, also those that are no emoji in Unicode's eyes.
    ("❤ ♥ ❣ ♡ ❥ ❦ 🧡 💛 💚 💙 💜 🤎 🖤 🤍 🩷 🩵 🩶 💓 💗 💖 💕 💞 💟 💘 💝", "love heart"),
    ("❤️‍🔥 ❤‍🔥", "love heart on fire"),
    ("❤️‍🩹 ❤‍🩹", "mending love heart"),
    ("💔", "broken heart"),
    ("🫶 🤟", "love hands"),
    ("💋 💏", "love kiss"),
    ("😗 😙 😚 😘 😽", "kissing face love"),
    ("🥰 😍 😻", "in love smiling face"),
    ("💌", "love letter"),
    // Joy.
    ("🎉 🎊", "celebration party"),
    ("🥳", "happy partying face"),
    ("🎂", "happy birthday cake"),
    ("🎈", "happy balloon"),
    ("🎁", "nice gift"),
    ("🥂 🍻 🍾", "cheers celebration"),
    ("💃 🕺 👯", "happy dancing"),
    ("🙌", "happy raised hands"),
    ("👏", "great applause"),
    ("🏆 🥇 🏅", "winner trophy"),
    ("💯", "perfect hundred percent"),
    ("👍", "good thumbs up"),
    ("👌", "perfect ok hand"),
    ("💪", "strong arm"),
    ("🤝", "friendly handshake"),
    ("🙏", "thankful praying hands"),
    ("🤞", "hopeful fingers crossed"),
    ("🍀", "lucky four leaf clover"),
    ("✨ 🌟 💫", "beautiful sparkles"),
    ("🌹 💐 🌸 🌺 🌷 🌻 🌼", "beautiful flowers"),
    ("🌈", "beautiful rainbow"),
    ("🔥", "hot fire"),
    ("🤩", "amazed star-struck face"),
    ("🤗 🫂", "happy hug"),
    ("😋 🤤", "delicious face"),
    ("😛 😜 😝 🤪", "playful face with tongue"),
    ("☻ ツ", "smiling face"),
    ("😺 😸", "smiling cat"),
    ("🤣", "laughing with tears of joy"),
    ("👑", "great crown"),
    ("🫡", "respectful saluting face"),
    // Grief, worry and strain.
    ("😥 😓", "sad face with sweat"),
    ("😪 😔", "sad pensive face"),
    ("🥲", "sad smile with tear"),
    ("🥺", "sad pleading face"),
    ("🥹", "touched face with tears of joy"),
    ("😿", "crying sad cat"),
    ("🥀", "sad wilted flower"),
    ("😣 😖 😫", "frustrated suffering face"),
    ("😩 🙀", "weary face"),
    ("😰 😟", "worried anxious face"),
    ("😬", "awkward grimacing face"),
    ("😳", "embarrassed face"),
    ("🫤", "disappointed skeptical face"),
    ("🙈", "embarrassed monkey"),
    ("🤕", "hurt face with bandage"),
    ("🤒 😷 🤧", "sick face"),
    ("😵 😵‍💫", "sick dizzy face"),
    ("😮‍💨", "tired sighing face"),
    ("🥱", "bored yawning face"),
    ("😱", "scared screaming face"),
    ("🆘", "help emergency"),
    // Anger and contempt.
    ("😤", "frustrated huffing face"),
    ("🤬", "swearing angry face"),
    ("😾", "angry cat"),
    ("😈", "smiling devil"),
    ("🙄", "annoyed face rolling eyes"),
    ("🤦", "disappointed facepalm"),
    ("🖕", "rude middle finger insult"),
    ("🤡", "foolish clown"),
    ("💩", "shit poo"),
    ("👎", "bad thumbs down"),
    ("🗑 🚮", "trash"),
    ("⚠", "warning danger"),
    // Letters.
    ("🅰", "a"),
    ("🅱", "b"),
    ("🅾", "o"),
    ("🅿", "p"),
];

/// The words for `emoji`, which has no skin tone and no style at its end.
pub(super) fn of(emoji: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| known.split(' ').any(|known| known == emoji)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_emoji_has_one_line() {
        let all: Vec<&str> = WORDS.iter().flat_map(|(emoji, _)| emoji.split(' ')).collect();
        for (i, emoji) in all.iter().enumerate() {
            assert!(!all[..i].contains(emoji), "{emoji}");
            assert!(!emoji.ends_with('\u{fe0f}'), "{emoji}");
        }
        assert_eq!((of("❤"), of("🎉"), of("🚀")), (Some("love heart"), Some("celebration party"), None));
    }
}
