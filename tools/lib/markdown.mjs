/** Fenced code blocks of a Markdown text: language, further tags, code, and the line of the opening fence (from 1). */
export function fencedBlocks(text) {
  const blocks = [];
  let open;
  text.split('\n').forEach((content, index) => {
    const fence = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(content);
    if (open === undefined && fence) {
      const [language = '', ...tags] = fence[3].trim().split(/\s+/);
      open = { marker: fence[2], indent: fence[1].length, language, tags, line: index + 1, lines: [] };
    } else if (open !== undefined && fence && fence[2].startsWith(open.marker) && fence[3] === '') {
      blocks.push({ language: open.language, tags: open.tags, line: open.line, code: open.lines.join('\n') });
      open = undefined;
    } else if (open !== undefined) {
      open.lines.push(content.slice(Math.min(open.indent, content.length - content.trimStart().length)));
    }
  });
  return blocks;
}

/** `text` with its code blocks and code spans blanked out, so that line numbers stay. */
function withoutCode(text) {
  const lines = text.split('\n');
  for (const { line, code } of fencedBlocks(text)) {
    for (let i = line - 1; i <= line + code.split('\n').length; i++) lines[i] = '';
  }
  return lines.map((line) => line.replace(/`[^`]*`/g, ''));
}

/** Targets of inline links and images, and of reference definitions, with their lines. */
export function linksOf(text) {
  return withoutCode(text).flatMap((content, index) => {
    const inline = [...content.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
    const definitions = [...content.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/g)];
    return [...inline, ...definitions].map(([, target]) => ({ target, line: index + 1 }));
  });
}

/** Anchors that a page's headings get: lower case, punctuation dropped, spaces as hyphens, repeats numbered. */
export function anchorsOf(text) {
  const seen = new Map();
  const anchors = new Set();
  let fenced = false;
  for (const line of text.split('\n')) {
    if (/^\s*(`{3,}|~{3,})/.test(line)) fenced = !fenced;
    const heading = fenced ? null : /^#{1,6}\s+(.+?)\s*#*$/.exec(line);
    if (heading === null) continue;
    const plain = heading[1].replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/** A TypeScript text reduced to what stands in its doc comments, line for line. */
export function uncommented(text) {
  let inside = false;
  return text
    .split('\n')
    .map((line) => {
      if (/^\s*\/\*\*/.test(line)) inside = true;
      const content = inside ? line.replace(/^\s*(?:\/\*\*|\*\/|\*)\s?/, '').replace(/\*\/\s*$/, '') : '';
      if (line.includes('*/')) inside = false;
      return content;
    })
    .join('\n');
}
