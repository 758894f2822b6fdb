//! Profiles that are tables: the way from RGB through curves and a cube of samples to the colour space that profiles meet in.
//! It is followed once for each point of a grid; pixels in between lie on the tetrahedron of their four nearest points.

use moxcms::{DataColorSpace, LutDataType, LutMultidimensionalType, LutStore, LutWarehouse};

use super::colour::{Curve, D50, FromD50};

/// Points along each side.
const POINTS: usize = 33;
const LAST: i32 = POINTS as i32 - 1;

/// sRGB for `POINTS` x `POINTS` x `POINTS` colours, blue fastest, with [`FromD50::PARTS`] steps a value.
#[derive(Debug)]
pub(super) struct Grid {
    points: Vec<[i32; 3]>,
}

impl Grid {
    /// `None` for tables that are not from three channels to three.
    pub(super) fn new(table: &LutWarehouse, meeting: DataColorSpace) -> Option<Grid> {
        let path = Path::new(table, meeting)?;
        let to_srgb = FromD50::new()?;
        let value = |i: usize| (i % POINTS) as f64 / f64::from(LAST);
        let points = (0..POINTS * POINTS * POINTS)
            .map(|i| {
                to_srgb.convert(path.follow([value(i / (POINTS * POINTS)), value(i / POINTS), value(i)]))
            })
            .collect();
        Some(Grid { points })
    }

    #[inline]
    pub(super) fn convert(&self, pixel: [u8; 3]) -> [u8; 3] {
        const STEPS: [usize; 3] = [POINTS * POINTS, POINTS, 1];
        let mut at = 0;
        let mut ways = [(0, 0); 3];
        for ((way, &value), step) in ways.iter_mut().zip(&pixel).zip(STEPS) {
            let place = i32::from(value) * LAST;
            at += (place / 255) as usize * step;
            *way = (place % 255, step);
        }
        // Along the axis of the largest remainder first: that walks over the corners of the pixel's tetrahedron.
        ways.sort_unstable_by_key(|&(share, _)| std::cmp::Reverse(share));
        let corner = |at: usize| self.points.get(at).copied();
        let Some(mut here) = corner(at) else { return pixel };
        let mut sums = here.map(|value| value * 255);
        for (share, step) in ways {
            if share == 0 {
                break;
            }
            at += step;
            let there = corner(at).unwrap_or(here);
            for ((sum, from), to) in sums.iter_mut().zip(here).zip(there) {
                *sum += share * (to - from);
            }
            here = there;
        }
        const WHOLE: i32 = 255 * FromD50::PARTS;
        sums.map(|sum| ((sum + WHOLE / 2) / WHOLE).clamp(0, 255) as u8)
    }
}

/// The steps from a colour of the file to XYZ for D50.
struct Path {
    before: [Curve; 3],
    cube: Option<Cube>,
    middle: Option<([Curve; 3], [[f64; 4]; 3])>,
    after: [Curve; 3],
    meeting: Meeting,
}

/// How the last numbers of a path are to be read.
enum Meeting {
    Xyz,
    /// L*a*b*; the factor of 16-bit tables of the first versions, in which 0xFF00 is the whole.
    Lab(f64),
}

struct Cube {
    sides: [usize; 3],
    values: Vec<[f64; 3]>,
}

fn numbers(store: &LutStore) -> Vec<f64> {
    match store {
        LutStore::Store8(values) => values.iter().map(|&value| f64::from(value) / 255.0).collect(),
        LutStore::Store16(values) => values.iter().map(|&value| f64::from(value) / 65535.0).collect(),
    }
}

impl Path {
    fn new(table: &LutWarehouse, meeting: DataColorSpace) -> Option<Path> {
        let lab = match meeting {
            DataColorSpace::Lab => true,
            DataColorSpace::Xyz => false,
            _ => return None,
        };
        match table {
            LutWarehouse::Lut(table) => Self::of_lut(table, lab),
            LutWarehouse::Multidimensional(table) => Self::of_steps(table, lab),
        }
    }

    fn of_lut(table: &LutDataType, lab: bool) -> Option<Path> {
        if (table.num_input_channels, table.num_output_channels) != (3, 3) {
            return None;
        }
        let curves = |store: &LutStore, entries: u16| -> Option<[Curve; 3]> {
            let values = numbers(store);
            let mut curves =
                values.chunks_exact(usize::from(entries).max(2)).map(|points| Curve::Points(points.to_vec()));
            Some([curves.next()?, curves.next()?, curves.next()?])
        };
        let wide = matches!(table.clut_table, LutStore::Store16(_));
        let whole = if wide { 65535.0 / 65280.0 } else { 1.0 };
        Some(Path {
            before: curves(&table.input_table, table.num_input_table_entries)?,
            cube: Some(Cube::new([usize::from(table.num_clut_grid_points); 3], &table.clut_table)?),
            middle: None,
            after: curves(&table.output_table, table.num_output_table_entries)?,
            meeting: if lab { Meeting::Lab(whole) } else { Meeting::Xyz },
        })
    }

    fn of_steps(table: &LutMultidimensionalType, lab: bool) -> Option<Path> {
        if (table.num_input_channels, table.num_output_channels) != (3, 3) {
            return None;
        }
        let curves = |curves: &[moxcms::ToneReprCurve]| -> Option<[Curve; 3]> {
            match curves {
                [] => Some([Curve::gamma(1.0), Curve::gamma(1.0), Curve::gamma(1.0)]),
                [red, green, blue, ..] => Some([Curve::of(red)?, Curve::of(green)?, Curve::of(blue)?]),
                _ => None,
            }
        };
        let [x, y, z, ..] = table.grid_points;
        let cube = match &table.clut {
            Some(values) => Some(Cube::new([x, y, z].map(usize::from), values)?),
            None => None,
        };
        let (matrix, shift) = (&table.matrix.v, &table.bias.v);
        let middle = (!table.m_curves.is_empty()).then(|| {
            let row = |[a, b, c]: [f64; 3], shift: f64| [a, b, c, shift];
            let rows = [row(matrix[0], shift[0]), row(matrix[1], shift[1]), row(matrix[2], shift[2])];
            curves(&table.m_curves).map(|curves| (curves, rows))
        });
        Some(Path {
            before: if cube.is_some() { curves(&table.a_curves)? } else { curves(&[])? },
            cube,
            middle: match middle {
                Some(middle) => Some(middle?),
                None => None,
            },
            after: curves(&table.b_curves)?,
            meeting: if lab { Meeting::Lab(1.0) } else { Meeting::Xyz },
        })
    }

    fn follow(&self, colour: [f64; 3]) -> [f64; 3] {
        let through =
            |curves: &[Curve; 3], [r, g, b]: [f64; 3]| [curves[0].at(r), curves[1].at(g), curves[2].at(b)];
        let mut colour = through(&self.before, colour);
        if let Some(cube) = &self.cube {
            colour = cube.at(colour);
        }
        if let Some((curves, matrix)) = &self.middle {
            let [r, g, b] = through(curves, colour);
            colour = matrix.map(|row| row[0] * r + row[1] * g + row[2] * b + row[3]);
        }
        let colour = through(&self.after, colour);
        match self.meeting {
            Meeting::Xyz => colour.map(|value| value * (65535.0 / 32768.0)),
            Meeting::Lab(whole) => {
                let [lightness, a, b] = colour.map(|value| value * whole);
                let y = (100.0 * lightness + 16.0) / 116.0;
                let ratios = [y + (255.0 * a - 128.0) / 500.0, y, y - (255.0 * b - 128.0) / 200.0];
                let cubed =
                    |t: f64| if t > 24.0 / 116.0 { t * t * t } else { (t - 16.0 / 116.0) * (108.0 / 841.0) };
                let [x, y, z] = ratios.map(cubed);
                [D50[0] * x, D50[1] * y, D50[2] * z]
            }
        }
    }
}

impl Cube {
    fn new(sides: [usize; 3], values: &LutStore) -> Option<Cube> {
        let values = numbers(values).as_chunks().0.to_vec();
        let size = sides.iter().try_fold(1usize, |size, &side| size.checked_mul(side))?;
        (sides.iter().all(|&side| side >= 2) && values.len() >= size).then_some(Cube { sides, values })
    }

    /// Between the eight nearest samples.
    fn at(&self, colour: [f64; 3]) -> [f64; 3] {
        let mut corners = [(0, 1.0); 8];
        for (axis, (&side, value)) in self.sides.iter().zip(colour).enumerate() {
            let place = value.clamp(0.0, 1.0) * (side - 1) as f64;
            let below = (place as usize).min(side - 2);
            let share = place - below as f64;
            for (number, (index, weight)) in corners.iter_mut().enumerate() {
                let above = number >> axis & 1;
                *index = *index * side + below + above;
                *weight *= if above == 1 { share } else { 1.0 - share };
            }
        }
        let mut sum = [0.0; 3];
        for (index, weight) in corners {
            let sample = self.values.get(index).copied().unwrap_or_default();
            for (sum, sample) in sum.iter_mut().zip(sample) {
                *sum += weight * sample;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_of_itself_changes_nothing() {
        let value = |i: usize| (i % POINTS) as i32 * 255 * FromD50::PARTS / LAST;
        let points = (0..POINTS * POINTS * POINTS)
            .map(|i| [value(i / (POINTS * POINTS)), value(i / POINTS), value(i)]);
        let grid = Grid { points: points.collect() };
        for pixel in [[0, 0, 0], [255, 255, 255], [1, 128, 254], [77, 76, 75], [255, 0, 9]] {
            for (a, b) in grid.convert(pixel).into_iter().zip(pixel) {
                assert!(a.abs_diff(b) <= 1, "{pixel:?} becomes {:?}", grid.convert(pixel));
            }
        }
    }

    #[test]
    fn lab() {
        let store = |values: &[u8]| LutStore::Store8(values.to_vec());
        let ramp: Vec<u8> = (0..=255).collect();
        // White and black at the two ends of red's axis, whatever green and blue are.
        let (black, white) = ([0, 128, 128], [255, 128, 128]);
        let cube: Vec<u8> = [[black; 4], [white; 4]].as_flattened().as_flattened().to_vec();
        let table = LutDataType {
            num_input_channels: 3,
            num_output_channels: 3,
            num_clut_grid_points: 2,
            matrix: moxcms::Matrix3d { v: [[0.0; 3]; 3] },
            num_input_table_entries: 256,
            num_output_table_entries: 256,
            input_table: store(&ramp.repeat(3)),
            clut_table: store(&cube),
            output_table: store(&ramp.repeat(3)),
            lut_type: moxcms::LutType::Lut8,
        };
        let grid = Grid::new(&LutWarehouse::Lut(table), DataColorSpace::Lab).unwrap();
        assert_eq!(grid.convert([0, 9, 200]), [0, 0, 0]);
        assert_eq!(grid.convert([255, 9, 200]), [255, 255, 255]);
        // L* of 50.2 is the gray 119.
        let middle = grid.convert([128, 0, 0]);
        assert!(middle.iter().all(|value| (118..=121).contains(value)), "{middle:?}");
    }
}
