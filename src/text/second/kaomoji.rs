//! Faces of signs from many alphabets (`(╯°□°）╯︵ ┻━┻`, `(ಥ﹏ಥ)`, `ʕ•ᴥ•ʔ`, `(^_^)`) as words, by what their eyes and mouth say.

use super::Unit;

/// The longest face with its arms.
const LONGEST: usize = 32;

const CRYING: &str = "ಥ╥ㅠㅜπΠ";
const WEEPING: &str = "T;Q；Ｔｔ";
const ANGRY: &str = "益皿╬ಠ╰╯Òዪ";
const SAD: &str = "﹏︵⌓︿﹃";
const TIRED: &str = "¬￢—ー─눈≖";
const LOVE: &str = "♥♡❤";
const SURPRISED: &str = "⊙◎〇Ддo0O";
const DIZZY: &str = "×✖x@";
const HAPPY: &str = "◕◠^＾≧≦•ᵔ˘‿◡ᴗω▽∀ヮワ∇ε✿☆✧´｀`･・°ᴥᗜ◉ิ๑❛˙ᐛ∩⌒";
/// Signs that only faces have, so that a bracket with one of them is a face.
const SURE: &str = "ಥ╥ಠ益皿╬﹏⌓︿¬￢눈≖⊙Дд◕◠≧≦‿◡ᴗω▽∀ヮワ∇ᴥᗜ＾♥♡°•･・✧✿ᵔ˘ツ´ε๑❛ᐛ□ﾟ٩۶ง";
/// Hands, arms, tears and sparkles around a face.
const AROUND: &str = "ヽﾉノ＼／\\/٩۶╯╰︵┻━┻彡☆★✧✿*･ﾟ.｡。゜~～♪♡♥❤づっつシ凸ง╭╮ᕕᕗᕦᕤ☞☜⊂⊃♫♬b\"'^o๑ᐠᐟ┬─┬ ";

/// The face at `units`: its words and how many units it takes. `before` is the character before.
pub(super) fn read(before: Option<char>, units: &[Unit]) -> Option<(&'static str, usize)> {
    let first = units.first()?.c;
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) && first.is_ascii() {
        return None;
    }
    let line = |c: &char| !matches!(c, '\n' | '\t');
    let chars: Vec<char> = units.iter().take(LONGEST).map(|u| u.c).take_while(line).collect();
    let arms = |c: char| {
        !c.is_ascii() && !c.is_whitespace() && AROUND.contains(c) || matches!(c, '\\' | 'o' | '*' | '"' | '^')
    };
    let lead = chars.iter().take_while(|c| arms(**c)).take(8).count();
    for skipped in [lead, 0] {
        let rest = chars.get(skipped..)?;
        if let Some((words, len)) = bracketed(rest, skipped > 0) {
            return Some((words, with_arms(&chars, skipped + len)));
        }
        if lead == 0 {
            break;
        }
    }
    bare(&chars).filter(|_| !first.is_ascii())
}

/// A face in brackets.
fn bracketed(chars: &[char], armed: bool) -> Option<(&'static str, usize)> {
    let close: &[char] = match chars.first()? {
        '(' | '（' | '❨' | '₍' => &[')', '）', '❩', '₎'],
        'ʕ' => &['ʔ'],
        '[' | '【' | '［' => &[']', '】', '］'],
        '|' | '〳' | '│' => &['|', '│'],
        _ => return None,
    };
    // The last closing bracket before a space that is far enough away.
    let end = 1 + chars.iter().skip(1).take(20).position(|c| close.contains(c))?;
    let inner = chars.get(1..end)?;
    let face = inner.iter().filter(|c| !c.is_whitespace()).count();
    let letters = inner.iter().filter(|c| c.is_ascii_alphanumeric()).count();
    let sure = inner.iter().filter(|c| SURE.contains(**c)).count();
    let plain = plain_face(inner);
    let spelled = matches!(inner, ['T' | 'Q', 'o' | 'w' | 'A' | 'O' | 'W', 'T' | 'Q']);
    if spelled {
        return Some(("crying face", end + 1));
    }
    if !(2..=14).contains(&face)
        || letters > 2
        || inner
            .windows(2)
            .any(|w| w.iter().all(|c| c.is_alphabetic() && !SURE.contains(*c) && !"oOTtxㅠㅜ".contains(*c)))
    {
        return None;
    }
    let is_face = plain || sure >= 2 || sure == 1 && symmetric(inner) || (armed && sure == 1);
    if !is_face {
        return None;
    }
    let table = chars.iter().skip(end).any(|c| *c == '┻');
    Some((if table { "angry face" } else { feeling(inner) }, end + 1))
}

/// `^_^`, `T_T`, `>_<`, `-_-`, `o_o`, `;_;`: two eyes alike around a mouth.
fn plain_face(inner: &[char]) -> bool {
    let mut inner: Vec<char> = inner.iter().copied().filter(|c| !c.is_whitespace()).collect();
    // Sweat and blush beside the face.
    if inner.len() > 3 && inner.first() == Some(&'*') && inner.last() == Some(&'*') {
        inner = inner.get(1..inner.len() - 1).map(<[char]>::to_vec).unwrap_or_default();
    }
    if matches!(inner[..], ['^', '^'] | ['＾', '＾']) {
        return true;
    }
    while inner.len() > 3 && matches!(inner.last(), Some(';' | '*' | '"' | '\'' | '#' | '・')) {
        inner.pop();
    }
    let (Some(left), Some(right)) = (inner.first(), inner.last()) else { return false };
    let eyes =
        left == right && "^T;-o0O*xX@=·.~u'QｔＴｏ＾".contains(*left) || (*left == '>' && *right == '<');
    let mouth = |c: &char| "_-.o3^wω▽ヮwДд﹏‿ー□,".contains(*c);
    eyes && (3..=5).contains(&inner.len())
        && inner.get(1..inner.len() - 1).is_some_and(|inner| inner.iter().all(mouth))
        && !inner.iter().all(|c| *c == '.')
        && !inner.iter().all(|c| *c == '-')
        && !inner.iter().all(|c| c.is_alphanumeric())
}

fn symmetric(inner: &[char]) -> bool {
    let face: Vec<char> = inner.iter().copied().filter(|c| !c.is_whitespace()).collect();
    face.len() >= 3 && face.first() == face.last()
}

/// A face without brackets: an eye, a mouth and the same eye, of signs that letters are not.
fn bare(chars: &[char]) -> Option<(&'static str, usize)> {
    let eye = *chars.first()?;
    if eye.is_ascii() || !"ಥ╥ಠ◕◠•ᵔ˘♥♡⊙◉≧ㅠㅜ눈¬°☉Ⓣｔ＾ʘ".contains(eye) {
        return None;
    }
    let weeping = chars.iter().take_while(|c| matches!(c, 'ㅠ' | 'ㅜ')).count();
    if weeping >= 2 {
        return Some(("crying face", weeping));
    }
    let partner = if eye == '≧' { '≦' } else { eye };
    let end = chars.iter().take(7).skip(2).position(|c| *c == partner)? + 2;
    let mouth = chars.get(1..end)?;
    let is_mouth = |c: &char| {
        !c.is_alphanumeric() && !c.is_whitespace() || SURE.contains(*c) || matches!(c, 'ᴥ' | 'o' | '_' | '.')
    };
    (mouth.len() <= 4 && mouth.iter().all(is_mouth))
        .then(|| (feeling(chars.get(..=end).unwrap_or(chars)), end + 1))
}

/// How long a face with its arms is; spaces belong to it only between it and a thrown table.
fn with_arms(chars: &[char], face: usize) -> usize {
    let mut len = face;
    for (i, c) in chars.iter().enumerate().skip(face) {
        if !AROUND.contains(*c) {
            break;
        }
        if !(c.is_whitespace() || matches!(c, '.' | '\'' | '"' | 'o' | 'b' | '~')) {
            len = i + 1;
        } else if c.is_whitespace() && !matches!(chars.get(i + 1), Some('┻' | '┬' | '︵')) {
            break;
        }
    }
    len
}

/// What the eyes and the mouth say, the strongest first.
fn feeling(face: &[char]) -> &'static str {
    let has = |signs: &str| face.iter().any(|c| signs.contains(*c));
    let eyes = |signs: &str| face.iter().filter(|c| signs.contains(**c)).count() >= 2;
    let mouth = face.iter().any(|c| "‿◡ᴗω▽∀ヮワ∇ᗜᐛ".contains(*c));
    if eyes(CRYING) || has("╥ಥ") || eyes(WEEPING) {
        "crying face"
    } else if eyes(LOVE) {
        "in love smiling face"
    } else if has("益皿╬") || eyes(ANGRY) || has("ಠ") {
        "angry face"
    } else if has(SAD) {
        "sad face"
    } else if face.contains(&'>') && face.contains(&'<') && !mouth {
        "frustrated suffering face"
    } else if (eyes(TIRED) || eyes("-─~")) && !mouth {
        "annoyed face"
    } else if eyes(DIZZY) && !mouth {
        "dizzy face"
    } else if has("Дд") && has(";；´｀") {
        "weary face"
    } else if has("Дд□⊙") || eyes(SURPRISED) {
        "surprised face"
    } else if has(HAPPY) || mouth {
        "happy smiling face"
    } else {
        "face"
    }
}
