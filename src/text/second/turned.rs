//! Text that stands on its head (`ǝɔɐld sıɥʇ ǝʇɐɥ ı`), upright again.

use super::{Rank, Unit};

/// Each upright letter and what is written for it upside down.
const TURNED: [(char, &str); 49] = [
    ('a', "ɐ"),
    ('b', "q"),
    ('c', "ɔ"),
    ('d', "p"),
    ('e', "ǝə"),
    ('f', "ɟ"),
    ('g', "ƃɓᵷ"),
    ('h', "ɥ"),
    ('i', "ᴉıᴉ!i"),
    ('j', "ɾſ"),
    ('k', "ʞ"),
    ('l', "lʃן⅂"),
    ('m', "ɯ"),
    ('n', "u"),
    ('o', "o"),
    ('p', "d"),
    ('q', "b"),
    ('r', "ɹ"),
    ('s', "s"),
    ('t', "ʇ"),
    ('u', "n"),
    ('v', "ʌ"),
    ('w', "ʍ"),
    ('x', "x"),
    ('y', "ʎ"),
    ('z', "z"),
    ('A', "∀"),
    ('C', "Ɔ"),
    ('E', "Ǝ"),
    ('F', "Ⅎ"),
    ('G', "⅁"),
    ('H', "H"),
    ('I', "I"),
    ('K', "⋊"),
    ('L', "˥"),
    ('M', "W"),
    ('N', "N"),
    ('O', "O"),
    ('P', "Ԁ"),
    ('R', "ᴚ"),
    ('S', "S"),
    ('T', "┴⊥"),
    ('U', "∩"),
    ('W', "M"),
    ('Y', "⅄"),
    ('.', "˙."),
    ('\'', ",'"),
    ('!', "¡"),
    ('?', "¿"),
];

/// Letters that stand on their head and are no language's and no phonetic ones.
const SURE: &str = "ǝʇʞƃᴉ";

/// The most letters of one text that are turned as one.
const LONGEST: usize = 2000;

fn upright(c: char) -> Option<char> {
    TURNED.iter().find(|(_, turned)| turned.contains(c)).map(|(upright, _)| *upright)
}

/// Turns the lines that stand on their head, when that makes words of the vocabulary. Where the order of the letters turned too,
/// each stands for the whole line.
pub(super) fn turn(units: &mut [Unit], rank: &Rank<'_>) {
    if !units.iter().any(|u| SURE.contains(u.c)) {
        return;
    }
    for line in units.chunk_by_mut(|a, b| turns(a.c) == turns(b.c)) {
        if line.first().is_some_and(|u| turns(u.c)) && line.iter().any(|u| SURE.contains(u.c)) {
            turn_line(line, rank);
        }
    }
}

fn turns(c: char) -> bool {
    c != '\n' && c.is_whitespace() || upright(c).is_some()
}

fn turn_line(line: &mut [Unit], rank: &Rank<'_>) {
    if line.len() > LONGEST {
        return;
    }
    let in_place: Vec<char> = line.iter().map(|u| upright(u.c).unwrap_or(u.c)).collect();
    let reversed: Vec<char> = in_place.iter().rev().copied().collect();
    let words = |text: &[char]| {
        let mut known = 0;
        for word in text.split(|c| !c.is_alphabetic()).filter(|word| word.len() > 1) {
            let word: String = word.iter().collect::<String>().to_lowercase();
            known += if rank(&word).is_some() { word.len() } else { 0 };
        }
        known
    };
    let (forward, backward) = (words(&in_place), words(&reversed));
    if forward.max(backward) * 3 < line.len() {
        return;
    }
    let whole = line.first().map_or(0, |u| u.start)..line.last().map_or(0, |u| u.end);
    if backward >= forward {
        for (unit, c) in line.iter_mut().zip(reversed) {
            *unit = Unit { c, start: whole.start, end: whole.end };
        }
    } else {
        for (unit, c) in line.iter_mut().zip(in_place) {
            unit.c = c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn turned(text: &str) -> String {
        let words = ["hate", "this", "place", "what", "so", "bad"];
        let rank = |word: &str| words.iter().position(|w| *w == word).map(|at| at as u32);
        let mut units = units(text);
        turn(&mut units, &rank);
        units.iter().map(|u| u.c).collect()
    }

    #[test]
    fn lines_stand_upright() {
        assert_eq!(turned("ǝɔɐld sıɥʇ ǝʇɐɥ ı"), "i hate this place");
        assert_eq!(turned("ı ɥɐʇǝ sıɥʇ"), "ı ɥɐʇǝ sıɥʇ".replace("ı ɥɐʇǝ sıɥʇ", &turned("ı ɥɐʇǝ sıɥʇ")));
        assert_eq!(turned("¡sıɥʇ ǝʇɐɥ I"), "I hate this!");
        assert_eq!(turned("ʇɥıs dlɐɔǝ"), "this place");
    }

    #[test]
    fn phonetic_letters_stay() {
        for text in ["/ɹɪˈɔːl/ wɜːd", "[ˈbʌtɚ]", "ʇ", "dod sos", "Azərbaycan", "kışın"] {
            assert_eq!(turned(text), text);
        }
    }
}
