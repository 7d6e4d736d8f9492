/**
 * Text that others wrote (engine labels, titles, claims, commands) on its way into a report. Control characters,
 * escape sequences, line breaks, invisible and right-to-left characters are spelled out as \u{hex}, so that
 * no label can forge a line, a colour or a column; Markdown's own characters get a backslash.
 */

const longestText = 400

/** One printable line. Latin letters and the signs that reports use stay; everything else is spelled. */
export function oneLine(text: string, longest: number = longestText): string {
  const parts: string[] = []
  for (const character of text.normalize('NFC')) {
    if (parts.length >= longest) {
      parts.push('…')
      break
    }
    const plain = /^[ -~\u00a1-\u00ac\u00ae-\u024f–—…‘’“”≤≥≠≈→−]$/.test(character)
    parts.push(plain ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`)
  }
  return parts.join('')
}

/** One line in which no Markdown or HTML takes effect. */
export function markdownLine(text: string): string {
  return oneLine(text).replace(/[\\`*_[\]<>|#~&!@]/g, (mark) => `\\${mark}`)
}

/** A code span holding the text as it is; also safe in a table cell. */
export function markdownCode(text: string): string {
  const line = oneLine(text)
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length))
  const fence = '`'.repeat(longest + 1)
  const pad = line.startsWith('`') || line.endsWith('`') || line === '' ? ' ' : ''
  return `${fence}${pad}${line.replaceAll('|', '\\|')}${pad}${fence}`
}

/** Breaks running text at spaces into lines of at most `width` characters; a longer word stays whole. */
export function wrapped(text: string, width: number, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const room = width - (lines.length === 0 ? 0 : indent.length)
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  lines.push(line)
  return lines.join(`\n${indent}`)
}
