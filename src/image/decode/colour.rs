//! From the colours that a file's profile means to sRGB, as browsers show them.
//!
//! All is decided by whole numbers that are the same on every machine: curves are tables of 256 entries made with `libm` (never
//! the platform's own `pow`), the matrix has 16 bits behind the point, and sRGB's curve is a table of steps. So native and
//! wasm give the same pixels to the last bit. PNG's own chunks (cICP, gAMA with cHRM) take the same way; those of HDR are cut
//! to the range of an ordinary screen, about as Chromium does.
//!
//! Profiles of one matrix and three curves (Display P3, Adobe RGB, ProPhoto, cameras) and gray ones with a curve are converted
//! exactly; those that are tables (scanners, printers) through a grid. CMYK profiles are ignored, as browsers do; so are
//! malformed ones.

use moxcms::{ColorProfile, DataColorSpace, ToneReprCurve};

use super::grid::Grid;

/// What a file's own pixels are, which its profile has to fit.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Gray,
    Rgb,
    Cmyk,
}

/// The way from a file's colours to sRGB.
#[derive(Debug)]
pub(super) enum Colour {
    /// They are sRGB, or nothing says otherwise.
    Same,
    /// One curve for gray pixels.
    Gray(Box<[u8; 256]>),
    Matrix(Box<Matrix>),
    Grid(Box<Grid>),
}

/// Brings RGB `pixels` of a `source` file from the colours of its ICC profile to sRGB. A profile that is damaged or of a kind
/// that is not read leaves them as they are.
pub(super) fn to_srgb(pixels: &mut [u8], profile: &[u8], source: Source) {
    Colour::from_icc(profile, source).apply(pixels);
}

/// 1.0 as the whole numbers of [`Matrix`] write it.
const ONE: i64 = 1 << 16;
/// Columns are red, green and blue of sRGB in the colour space that profiles meet in (XYZ for D50's white).
const SRGB: [[f64; 3]; 3] = [
    [0.436065674, 0.385147095, 0.143066406],
    [0.222488403, 0.716873169, 0.060607910],
    [0.013916016, 0.097076416, 0.714096069],
];
/// The white of the colour space that profiles meet in.
pub(super) const D50: [f64; 3] = [0.9642, 1.0, 0.8249];

/// Candelas a square metre that HDR's curves show as white: twice the white of paper, about as Chromium does for a screen that
/// has no HDR.
const SCREEN: f64 = 406.0;

/// Curves to linear light, a matrix there, and sRGB's curve.
#[derive(Debug)]
pub(super) struct Matrix {
    linear: [[i32; 256]; 3],
    rows: [[i64; 3]; 3],
    encode: Vec<u8>,
}

/// A curve from 0 to 1 to linear light.
#[derive(Clone, Debug)]
pub(super) enum Curve {
    /// Evenly spaced points, at least two.
    Points(Vec<f64>),
    /// `(a x + b) ^ g + e` from `d` on, `c x + f` below.
    Power { g: f64, a: f64, b: f64, c: f64, d: f64, e: f64, f: f64 },
}

impl Curve {
    pub(super) const SRGB: Curve =
        Curve::Power { g: 2.4, a: 1.0 / 1.055, b: 0.055 / 1.055, c: 1.0 / 12.92, d: 0.04045, e: 0.0, f: 0.0 };

    pub(super) fn gamma(g: f64) -> Curve {
        Curve::Power { g, a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: 0.0, f: 0.0 }
    }

    /// Of HDR (SMPTE ST 2084), for a screen of [`SCREEN`]: what is brighter is cut.
    pub(super) fn pq() -> Curve {
        let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 32.0);
        let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0);
        let nits = |x: f64| {
            let root = libm::pow(x, 1.0 / m2);
            10_000.0 * libm::pow((root - c1).max(0.0) / (c2 - c3 * root), 1.0 / m1)
        };
        Curve::Points((0..256).map(|i| (nits(f64::from(i) / 255.0) / SCREEN).min(1.0)).collect())
    }

    /// Of HDR (ARIB STD-B67), likewise.
    pub(super) fn hlg() -> Curve {
        let (a, b, c) = (0.17883277, 0.28466892, 0.55991073);
        let scene = |x: f64| if x <= 0.5 { x * x / 3.0 } else { (libm::exp((x - c) / a) + b) / 12.0 };
        let nits = |x: f64| 1000.0 * libm::pow(scene(x), 1.2);
        Curve::Points((0..256).map(|i| (nits(f64::from(i) / 255.0) / SCREEN).min(1.0)).collect())
    }

    pub(super) fn of(curve: &ToneReprCurve) -> Option<Curve> {
        match curve {
            ToneReprCurve::Lut(points) => match points.as_slice() {
                [] => Some(Curve::gamma(1.0)),
                [gamma] => Some(Curve::gamma(f64::from(*gamma) / 256.0)),
                points => {
                    Some(Curve::Points(points.iter().map(|&point| f64::from(point) / 65535.0).collect()))
                }
            },
            ToneReprCurve::Parametric(numbers) => {
                let numbers: Vec<f64> = numbers.iter().map(|&number| f64::from(number)).collect();
                let (c, e, f) = (0.0, 0.0, 0.0);
                let power = match *numbers.as_slice() {
                    [g] => return Some(Curve::gamma(g)),
                    [g, a, b] => Curve::Power { g, a, b, c, d: -b / a, e, f },
                    [g, a, b, shift] => Curve::Power { g, a, b, c, d: -b / a, e: shift, f: shift },
                    [g, a, b, c, d] => Curve::Power { g, a, b, c, d, e, f },
                    [g, a, b, c, d, e, f] => Curve::Power { g, a, b, c, d, e, f },
                    _ => return None,
                };
                Some(power)
            }
        }
    }

    /// Where a curve has no number (a root of a negative one), it is 0.
    pub(super) fn at(&self, x: f64) -> f64 {
        let y = match *self {
            Curve::Points(ref points) => {
                let place = x.clamp(0.0, 1.0) * (points.len() - 1) as f64;
                let below = place as usize;
                let low = points.get(below).copied().unwrap_or_default();
                let high = points.get(below + 1).copied().unwrap_or(low);
                low + (high - low) * (place - below as f64)
            }
            Curve::Power { g, a, b, c, d, e, f } => {
                if x >= d {
                    libm::pow(a * x + b, g) + e
                } else {
                    c * x + f
                }
            }
        };
        if y.is_nan() { 0.0 } else { y.clamp(0.0, 1.0) }
    }

    /// For each of the 256 values.
    fn table(&self) -> [i32; 256] {
        std::array::from_fn(|value| fixed(self.at(value as f64 / 255.0)) as i32)
    }
}

fn fixed(value: f64) -> i64 {
    (value * ONE as f64 + 0.5).floor() as i64
}

impl Colour {
    /// By an ICC profile; [`Colour::Same`] where it does not fit `source`, is malformed, or means sRGB.
    pub(super) fn from_icc(profile: &[u8], source: Source) -> Colour {
        Self::of_icc(profile, source).unwrap_or(Colour::Same)
    }

    /// The same; `None` for a profile that cannot be read.
    pub(super) fn of_icc(profile: &[u8], source: Source) -> Option<Colour> {
        Self::of_profile(profile, source).map(Colour::unless_same)
    }

    fn of_profile(bytes: &[u8], source: Source) -> Option<Colour> {
        let profile = ColorProfile::new_from_slice(&needed_tags(bytes)).ok()?;
        match (source, profile.color_space) {
            (Source::Gray, DataColorSpace::Gray) => {
                let curve = Curve::of(profile.gray_trc.as_ref()?)?;
                let encode = encode_table();
                let tone = |&light: &i32| encode.get(light as usize).copied().unwrap_or(255);
                let table: Vec<u8> = curve.table().iter().map(tone).collect();
                Some(Colour::Gray(Box::new(table.try_into().ok()?)))
            }
            (Source::Gray | Source::Rgb, DataColorSpace::Rgb) => {
                if let Some(table) = &profile.lut_a_to_b_perceptual {
                    return Grid::new(table, profile.pcs).map(|grid| Colour::Grid(Box::new(grid)));
                }
                let curves = [
                    Curve::of(profile.red_trc.as_ref()?)?,
                    Curve::of(profile.green_trc.as_ref()?)?,
                    Curve::of(profile.blue_trc.as_ref()?)?,
                ];
                let colorants = [profile.red_colorant, profile.green_colorant, profile.blue_colorant];
                let columns = colorants.map(|colorant| [colorant.x, colorant.y, colorant.z]);
                Self::of_curves(&curves, transposed(columns))
            }
            _ => None,
        }
    }

    /// Of light of the chromaticities `white`, `red`, `green`, `blue` (x and y each), after `curve`.
    pub(super) fn from_primaries([white, primaries @ ..]: [[f64; 2]; 4], curve: &Curve) -> Colour {
        let [red, green, blue] = primaries;
        // Places outside of the chart are a mistake of the file, and browsers then take it for sRGB.
        if [white, red, green, blue].as_flattened().iter().any(|place| !(0.0..=1.0).contains(place)) {
            return Colour::Same;
        }
        let to_d50 = primaries_to_d50(white, [red, green, blue]);
        to_d50
            .and_then(|to_d50| Self::of_curves(&[curve.clone(), curve.clone(), curve.clone()], to_d50))
            .unwrap_or(Colour::Same)
            .unless_same()
    }

    fn of_curves(curves: &[Curve; 3], to_d50: [[f64; 3]; 3]) -> Option<Colour> {
        let rows = multiplied(inverse(SRGB)?, to_d50);
        // No profile of anything that shows pictures has such a number; the sums below are far from overflow.
        if rows.as_flattened().iter().any(|number| !number.is_finite() || number.abs() > 1000.0) {
            return None;
        }
        let linear = curves.each_ref().map(Curve::table);
        let rows = rows.map(|row| row.map(fixed));
        Some(Colour::Matrix(Box::new(Matrix { linear, rows, encode: encode_table() })))
    }

    /// [`Colour::Same`] if no colour moves by more than a level.
    fn unless_same(self) -> Colour {
        let step = |i: u32| (i * 255 / 8) as u8;
        let mut colours: Vec<u8> =
            (0..9 * 9 * 9).flat_map(|i| [step(i / 81), step(i / 9 % 9), step(i % 9)]).collect();
        colours.extend((0..=255).flat_map(|gray| [gray; 3]));
        let mut moved = colours.clone();
        self.apply(&mut moved);
        if colours.iter().zip(&moved).all(|(a, b)| a.abs_diff(*b) <= 1) { Colour::Same } else { self }
    }

    /// Converts 8-bit RGB, in place.
    #[allow(clippy::indexing_slicing, reason = "a table of 256 entries has one for each byte")]
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        match self {
            Colour::Same => {}
            Colour::Gray(table) => {
                rgb.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
            }
            Colour::Matrix(matrix) => {
                rgb.as_chunks_mut().0.iter_mut().for_each(|pixel| *pixel = matrix.convert(*pixel));
            }
            Colour::Grid(grid) => {
                rgb.as_chunks_mut().0.iter_mut().for_each(|pixel| *pixel = grid.convert(*pixel));
            }
        }
    }
}

impl Matrix {
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "a table of 256 entries has one for each byte")]
    fn convert(&self, [red, green, blue]: [u8; 3]) -> [u8; 3] {
        let [reds, greens, blues] = &self.linear;
        let light =
            [reds[usize::from(red)], greens[usize::from(green)], blues[usize::from(blue)]].map(i64::from);
        self.rows.map(|row| {
            let sum = row[0] * light[0] + row[1] * light[1] + row[2] * light[2];
            let light = ((sum + ONE / 2) >> 16).clamp(0, ONE);
            self.encode.get(light as usize).copied().unwrap_or(255)
        })
    }
}

/// sRGB's value for each of the `ONE + 1` amounts of light: it rises by one where the next value's light is nearer.
fn encode_table() -> Vec<u8> {
    let mut table = Vec::with_capacity(ONE as usize + 1);
    for value in 0..255u8 {
        let rise = fixed(Curve::SRGB.at((f64::from(value) + 0.5) / 255.0)) as usize;
        table.resize(rise, value);
    }
    table.resize(ONE as usize + 1, 255);
    table
}

/// The sRGB value of linear light in XYZ for D50, exactly; 8 bits behind the point.
pub(super) struct FromD50 {
    rows: [[f64; 3]; 3],
    /// Where in linear light each 16th of a value begins.
    rises: Vec<f64>,
}

/// Steps a value that [`FromD50`] tells apart.
const PARTS: usize = 16;

impl FromD50 {
    pub(super) fn new() -> Option<FromD50> {
        let rises =
            (0..255 * PARTS).map(|i| Curve::SRGB.at((i as f64 + 0.5) / (255 * PARTS) as f64)).collect();
        Some(FromD50 { rows: inverse(SRGB)?, rises })
    }

    /// Values from 0 to 255 with [`PARTS`] steps each.
    pub(super) fn convert(&self, xyz: [f64; 3]) -> [i32; 3] {
        self.rows.map(|row| {
            let light = row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2];
            self.rises.partition_point(|&rise| rise <= light) as i32
        })
    }

    pub(super) const PARTS: i32 = PARTS as i32;
}

/// A copy of a profile in which only the tags that are looked at have their names: its parser refuses the whole for one bad
/// text in it, and reads tables that are not asked for.
fn needed_tags(profile: &[u8]) -> Vec<u8> {
    const NEEDED: [&[u8]; 8] = [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"A2B0"];
    let mut profile = profile.to_vec();
    let Some((head, tags)) = profile.split_at_mut_checked(132) else { return profile };
    let count = head.last_chunk().map_or(0, |&count| u32::from_be_bytes(count) as usize);
    for tag in tags.chunks_exact_mut(12).take(count) {
        if let Some(name) = tag.first_chunk_mut::<4>()
            && !NEEDED.contains(&name.as_slice())
        {
            *name = *b"none";
        }
    }
    profile
}

#[allow(clippy::indexing_slicing, reason = "three rows of three")]
fn transposed(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|row| std::array::from_fn(|column| m[column][row]))
}

#[allow(clippy::indexing_slicing, reason = "three rows of three")]
fn multiplied(a: [[f64; 3]; 3], b: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    a.map(|row| {
        std::array::from_fn(|column| row[0] * b[0][column] + row[1] * b[1][column] + row[2] * b[2][column])
    })
}

fn inverse(m: [[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let [[a, b, c], [d, e, f], [g, h, i]] = m;
    let determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    if !determinant.is_finite() || determinant.abs() < 1e-9 {
        return None;
    }
    let cofactors = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ];
    Some(cofactors.map(|row| row.map(|cofactor| cofactor / determinant)))
}

/// From linear light of `primaries` under `white` to XYZ for D50, by Bradford's adaptation.
fn primaries_to_d50(white: [f64; 2], primaries: [[f64; 2]; 3]) -> Option<[[f64; 3]; 3]> {
    const BRADFORD: [[f64; 3]; 3] =
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
    let xyz = |[x, y]: [f64; 2]| [x / y, 1.0, (1.0 - x - y) / y];
    let times = |m: [[f64; 3]; 3], v: [f64; 3]| m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
    let columns = transposed(primaries.map(xyz));
    let scale = times(inverse(columns)?, xyz(white));
    let rgb_to_xyz = columns.map(|row| [row[0] * scale[0], row[1] * scale[1], row[2] * scale[2]]);
    let (from, to) = (times(BRADFORD, xyz(white)), times(BRADFORD, D50));
    let cones = [[to[0] / from[0], 0.0, 0.0], [0.0, to[1] / from[1], 0.0], [0.0, 0.0, to[2] / from[2]]];
    let adapt = multiplied(inverse(BRADFORD)?, multiplied(cones, BRADFORD));
    Some(multiplied(adapt, rgb_to_xyz))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// White, red, green, blue.
    const P3: [[f64; 2]; 4] = [[0.3127, 0.3290], [0.680, 0.320], [0.265, 0.690], [0.150, 0.060]];
    const REC709: [[f64; 2]; 4] = [[0.3127, 0.3290], [0.64, 0.33], [0.30, 0.60], [0.15, 0.06]];

    fn is_same(colour: &Colour) -> bool {
        matches!(colour, Colour::Same)
    }

    fn converted(colour: &Colour, mut rgb: [u8; 3]) -> [u8; 3] {
        colour.apply(&mut rgb);
        rgb
    }

    #[test]
    fn display_p3() {
        let colour = Colour::from_primaries(P3, &Curve::SRGB);
        // From the definitions, by hand in high precision: more saturated colours leave sRGB and are cut.
        assert_eq!(converted(&colour, [255, 255, 255]), [255, 255, 255]);
        assert_eq!(converted(&colour, [0, 0, 0]), [0, 0, 0]);
        assert_eq!(converted(&colour, [128, 128, 128]), [128, 128, 128]);
        assert_eq!(converted(&colour, [255, 0, 0]), [255, 0, 0]);
        assert_eq!(converted(&colour, [200, 100, 50]), [215, 93, 31]);
    }

    #[test]
    fn what_means_srgb_is_left_alone() {
        assert!(is_same(&Colour::from_primaries(REC709, &Curve::SRGB)));
        assert!(!is_same(&Colour::from_primaries(REC709, &Curve::gamma(1.0))));
    }

    #[test]
    fn encode_is_the_inverse_of_srgbs_curve() {
        let table = encode_table();
        for (value, &light) in Curve::SRGB.table().iter().enumerate() {
            assert_eq!(usize::from(table[light as usize]), value);
        }
    }

    /// A profile is given by anyone: whatever stands in it, the picture is read.
    #[test]
    fn damaged_profiles_never_panic() {
        let profile = ColorProfile::new_display_p3().encode().unwrap();
        let colour = Colour::from_icc(&profile, Source::Rgb);
        assert_eq!(converted(&colour, [200, 100, 50]), [215, 93, 31]);
        assert!(is_same(&Colour::from_icc(&profile, Source::Cmyk)));
        let mut state = 1u32;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        for _ in 0..20_000 {
            let mut damaged = profile.clone();
            for _ in 0..1 + next(4) {
                let place = next(damaged.len());
                damaged[place] = [0, 1, 0x7F, 0x80, 0xFF, next(256) as u8][next(6)];
            }
            if next(4) == 0 {
                // A table where curves stood: those are read by other code.
                let tag = 132 + 12 * next(9);
                damaged.splice(tag..tag + 4, *b"A2B0");
            }
            damaged.truncate(profile.len() - next(4) * next(profile.len()) / 4);
            let _ = Colour::of_profile(&damaged, Source::Rgb);
        }
    }

    #[test]
    fn broken_profiles_are_ignored() {
        for length in [0, 3, 127, 128, 131, 132, 500] {
            assert!(is_same(&Colour::from_icc(&vec![0; length], Source::Rgb)));
            assert!(is_same(&Colour::from_icc(&vec![255; length], Source::Rgb)));
        }
        assert!(is_same(&Colour::from_primaries([[0.0; 2]; 4], &Curve::SRGB)));
        assert!(is_same(&Colour::from_primaries([[f64::NAN; 2]; 4], &Curve::SRGB)));
    }
}
