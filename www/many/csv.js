// Tables as text: cells between commas, semicolons, tabs or bars, as RFC 4180 has them and as spreadsheets write them.

const SEPARATORS = [',', ';', '\t', '|'];
const TASTED = 65_536; // characters that tell which separator it is
const STEADY = 0.7; // of the rows have as many cells as the first; else the lines are no rows of cells

/**
 * The rows of `text`, each a list of cells. A cell in quotes may hold separators, line ends and, doubled, quotes. A quote
 * that is not closed before the next separator is only a quote: people write them. Without a `separator`, a line is a cell.
 */
export function parseRows(text, separator) {
  const rows = [];
  const ends = separator ? new RegExp(`[${separator === '|' ? '\\|' : separator}\\r\\n]`, 'g') : /[\r\n]/g;
  const endFrom = (at) => {
    ends.lastIndex = at;
    return ends.exec(text)?.index ?? text.length;
  };
  let row = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; // a byte order mark
  while (at <= text.length) {
    const quoted = separator && text[at] === '"' ? quotedCell(text, at, separator) : null;
    const end = quoted?.end ?? endFrom(at);
    row.push(quoted?.value ?? text.slice(at, end));
    at = end;
    if (text[at] === separator && at < text.length) {
      at += 1;
      continue;
    }
    if (row.length > 1 || row[0].trim()) rows.push(row);
    row = [];
    at += text.startsWith('\r\n', at) ? 2 : 1;
  }
  return rows;
}

/** The cell whose opening quote is at `start`, and where it ends; `null` where the quote opens nothing. */
function quotedCell(text, start, separator) {
  let value = '';
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return null;
    value += text.slice(from, quote);
    const next = text[quote + 1];
    if (next === '"') {
      value += '"';
      from = quote + 2;
    } else {
      const closes = next === undefined || next === separator || next === '\n' || next === '\r';
      return closes ? { value, end: quote + 1 } : null;
    }
  }
}

/** Which separator a table has; `null` where its lines are not made of cells. */
export function separatorOf(text) {
  const taste = text.length > TASTED ? text.slice(0, text.lastIndexOf('\n', TASTED) + 1 || TASTED) : text;
  const judged = SEPARATORS.map((separator) => {
    const rows = parseRows(taste, separator);
    const columns = rows[0]?.length ?? 0;
    const steady = rows.filter((row) => row.length === columns).length / (rows.length || 1);
    return { separator, columns, steady };
  });
  const best = judged
    .filter(({ columns, steady }) => columns > 1 && steady >= STEADY)
    .sort((a, b) => b.steady - a.steady || b.columns - a.columns)[0];
  return best?.separator ?? null;
}

/** `rows` as comma-separated text that spreadsheets open, with `\r\n` and a byte order mark for their sake. */
export function writeRows(rows) {
  const cell = (value) => {
    const text = value == null ? '' : typeof value === 'string' ? harmless(value) : String(value);
    return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\ufeff${rows.map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** A spreadsheet takes what begins like this for a formula and runs it; the posts may be a stranger's. */
const harmless = (text) => (/^[=+\-@＝＋－＠\t\r\n]/.test(text) ? `'${text}` : text);
