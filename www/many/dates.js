// Days as `2026-05-31`, from the ways in which tables write them. The day is the one that is written: no time zone moves it.

const pad = (n) => String(n).padStart(2, '0');

function valid(year, month, day) {
  const date = new Date(Date.UTC(year, month - 1, day));
  const real = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && year >= 1900 && year < 2200;
  return real ? `${year}-${pad(month)}-${pad(day)}` : null;
}

/**
 * The day that `text` says, or `null`. Of `3/4/2026` nobody knows the month: it is the first number, as in the United
 * States, unless `dayFirst`.
 */
export function dayOf(text, dayFirst = false) {
  const written = text.trim();
  let parts = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)/.exec(written);
  if (parts) return valid(+parts[1], +parts[2], +parts[3]);
  parts = /^(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\d)/.exec(written);
  if (parts) return valid(+parts[3], +parts[2], +parts[1]);
  parts = /^(\d{1,2})[/-](\d{1,2})[/-](\d{4})(?!\d)/.exec(written);
  if (parts) {
    const [a, b] = [+parts[1], +parts[2]];
    return dayFirst || a > 12 ? valid(+parts[3], b, a) : valid(+parts[3], a, b);
  }
  if (/^1\d{9}(\d{3})?$/.test(written)) {
    // Seconds or milliseconds since 1970.
    return new Date(Number(written) * (written.length === 10 ? 1000 : 1)).toISOString().slice(0, 10);
  }
  return named(written);
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** "Wed Aug 27 13:08:45 +0000 2008", "27 Aug 2008", "August 27, 2008" */
function named(written) {
  if (written.length > 40) return null;
  const year = /(?<![-+:\d])\d{4}(?!\d)/.exec(written)?.[0];
  const parts = /\b([a-z]{3})[a-z]*\.? (\d{1,2})(?![\d:])/i.exec(written) ?? /(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3})/i.exec(written);
  if (!year || !parts) return null;
  const [month, day] = /^\d/.test(parts[1]) ? [parts[2], parts[1]] : [parts[1], parts[2]];
  const number = MONTHS.indexOf(month.toLowerCase()) + 1;
  return number ? valid(+year, number, +day) : null;
}

/** Whether in a column of `3/4/2026` the day comes first: somewhere the first number is no month. */
export const dayComesFirst = (cells) => cells.some((cell) => Number(/^\s*(\d{1,2})[/-]\d{1,2}[/-]\d{4}/.exec(cell)?.[1]) > 12);

/** Whether these cells are days and not merely numbers. */
export const daysOf = (cells) => cells.some((cell) => /[-/.: ]/.test(cell.trim()));

/** The first day of the group that a day belongs to: the `'day'` itself, its `'week'` from Monday on, or its `'month'`. */
export function groupOf(day, span) {
  if (span === 'month') return `${day.slice(0, 7)}-01`;
  if (span === 'day') return day;
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}

/** How many days lie from one to another. */
export const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);

const FORMAT = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

/** A day for people: "31 May 2026". */
export const sayDay = (day) => FORMAT.format(new Date(`${day}T00:00:00Z`));
