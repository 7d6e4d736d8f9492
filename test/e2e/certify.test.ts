/** Certificates through the command line, and the commands of the documents with stock tools. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completed, rolledBack, upTo } from '../unit/certificates/recorded-migration.ts'
import { writeRecordedRun } from '../unit/certificates/recorded-run.ts'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const document = ['README.md', 'docs/certificates.md']
  .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
  .join('\n')
const root = mkdtempSync(join(tmpdir(), 'certify-e2e-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function lighthouse(words: readonly string[], environment: Record<string, string> = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: root,
      XDG_CONFIG_HOME: join(root, 'config'),
      NO_COLOR: '1',
      ...environment,
    },
  })
  return { status, stdout, stderr }
}

function member(text: string, name: string): unknown {
  const value: unknown = JSON.parse(text)
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined
}

function edit(file: string, change: (text: string) => string): void {
  const before = readFileSync(file, 'utf8')
  expect(change(before)).not.toBe(before)
  writeFileSync(file, change(before))
}

let run = ''
let id = ''
let folder = ''
beforeAll(() => {
  run = writeRecordedRun(join(root, 'runs'))
  expect(lighthouse(['certify', 'keygen', 'ci.pem', '--principal', 'ci@example.org']).status).toBe(0)
  expect(
    lighthouse(['certify', 'trust', 'add', 'ci.pem.pub', '--principal', 'ci@example.org', '--for', 'certificate'])
      .status,
  ).toBe(0)
  const issued = lighthouse(['certify', 'issue', run, '--key', 'ci.pem', '--component', 'Message bridge', '--json'])
  expect([issued.status, issued.stderr]).toEqual([0, ''])
  id = String(member(issued.stdout, 'id'))
  folder = join(run, 'certificate', id)
})

describe('the commands', () => {
  it('verify what was issued, rung by rung, and by what is required', () => {
    const plain = lighthouse(['certify', 'verify', folder])
    expect(plain.status).toBe(0)
    expect(plain.stdout.split('\n')[0]).toBe(`✅ VERIFIED ${id}`)
    expect(plain.stdout.match(/^✅ [1-5] /gm)).toHaveLength(5)
    const json = lighthouse(['certify', 'verify', folder, '--json', '--require', 'APPROVED', '--min-agents', '100'])
    expect(json.status).toBe(0)
    expect(member(json.stdout, 'verified')).toBe(true)
    expect(member(json.stdout, 'rungs')).toHaveLength(5)
    expect(lighthouse(['certify', 'verify', folder, '--require', 'APPROVED', '--min-agents', '101']).status).toBe(34)
    expect(lighthouse(['certify', 'verify', folder, '--component', 'Other']).status).toBe(34)
    expect(lighthouse(['certify', 'verify', folder, '--require', 'APPROVED']).status).toBe(2)
  })

  it('answer alteration, foreign keys and missing evidence with their exit codes', () => {
    const copy = (name: string): string => {
      const target = join(root, name, id)
      cpSync(folder, target, { recursive: true })
      return target
    }
    const altered = copy('altered')
    edit(join(altered, `${id}.md`), (text) => text.replace('n=3600', 'n=9600'))
    expect(lighthouse(['certify', 'verify', altered]).status).toBe(30)
    expect(lighthouse(['certify', 'verify', folder], { XDG_CONFIG_HOME: join(root, 'nobody') }).status).toBe(31)
    const missing = copy('missing')
    rmSync(join(missing, 'evidence', 'ledger.json'))
    const refused = lighthouse(['certify', 'verify', missing, '--json'])
    expect(refused.status).toBe(32)
    expect(member(refused.stdout, 'exitCode')).toBe(32)
    const tail = copy('tail')
    edit(join(tail, `${id}.md`), (text) => `${text}APPROVED\n`)
    expect(lighthouse(['certify', 'verify', tail]).status).toBe(35)
    const alone = join(root, `${id}.md`)
    copyFileSync(join(folder, `${id}.md`), alone)
    const text = lighthouse(['certify', 'verify', alone])
    expect([text.status, text.stdout.includes('text only, evidence not checked')]).toEqual([32, true])
    expect(lighthouse(['certify', 'verify', alone, '--text-only']).status).toBe(0)
  })

  it.each([
    ['migration', [], 'APPROVED', 0, (place: string) => completed(place).account()],
    ['canary', ['--phase', 'canary-5'], 'CONDITIONALLY_APPROVED', 34, (place: string) => upTo('half', place)],
    ['rollback', ['--kind', 'rollback'], 'REQUIRES_REMEDIATION', 34, (place: string) => rolledBack(place)],
  ] as const)(
    'certify a migration as %s, and catch what was changed in its journal',
    (kind, more, status, code, make) => {
      const place = make(join(root, 'migrations', kind)).folder
      const issued = lighthouse(['certify', 'issue', place, ...more, '--key', 'ci.pem', '--json'])
      expect([issued.status, issued.stderr, member(issued.stdout, 'status')]).toEqual([0, '', status])
      const own = join(place, 'certificate', String(member(issued.stdout, 'id')))
      const plain = lighthouse(['certify', 'verify', own])
      expect([plain.status, plain.stdout]).toEqual([0, expect.stringContaining(`\n${kind} certificate for `)])
      expect(plain.stdout.match(/^✅ [1-5] /gm)).toHaveLength(5)
      const words = ['--require', 'APPROVED', '--min-agents', '200', '--kind', 'migration']
      expect(lighthouse(['certify', 'verify', own, ...words]).status).toBe(code)
      expect(lighthouse(['certify', 'show', own]).stdout).toContain(`**Status**: ${status}`)
      expect(lighthouse(['certify', 'pack', own]).status).toBe(0)
      edit(join(own, 'evidence', 'journal.jsonl'), (text) => text.replace('"agents":10', '"agents":11'))
      expect(lighthouse(['certify', 'verify', own]).status).toBe(32)
      edit(join(place, 'journal.jsonl'), (text) => text.replace('"agents":10', '"agents":11'))
      expect(lighthouse(['certify', 'issue', place, '--key', 'ci.pem']).status).toBe(33)
    },
  )

  it('refuse the kind of a migration for a run', () => {
    const wrong = lighthouse(['certify', 'issue', run, '--kind', 'canary', '--key', 'ci.pem'])
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('holds no migration')])
  })

  it('refuse to issue what does not follow', () => {
    const forged = join(root, 'forged', 'run')
    cpSync(run, forged, { recursive: true })
    edit(join(forged, 'results.json'), (text) => text.replace('"decision": "APPROVED"', '"decision": "EMERGENCY_STOP"'))
    const refused = lighthouse(['certify', 'issue', forged, '--key', 'ci.pem', '--output', join(root, 'none')])
    expect(refused.status).toBe(33)
    expect(existsSync(join(root, 'none'))).toBe(false)
  })

  it('make a default key once, name it, and sign with a key from the environment without showing it', () => {
    const environment = { XDG_CONFIG_HOME: join(root, 'fresh') }
    const first = lighthouse(['certify', 'issue', run, '--output', 'first'], environment)
    expect(first.status).toBe(0)
    expect(first.stderr).toContain('A new signing key was made')
    const made = readdirSync(join(root, 'first'))[0] ?? ''
    expect(lighthouse(['certify', 'verify', join('first', made)], environment).status).toBe(0)
    const pem = readFileSync(join(root, 'ci.pem'), 'utf8')
    const second = lighthouse(
      ['certify', 'issue', run, '--output', 'second', '--key', 'env://SIGNING', '--kind', 'analysis'],
      { SIGNING: pem },
    )
    expect([second.status, second.stdout.startsWith('RECOMMEND')]).toEqual([0, true])
    const secret = pem.split('\n')[1] ?? '?'
    expect(second.stdout + second.stderr).not.toContain(secret)
    const blocked = lighthouse(['certify', 'issue', run, '--output', 'third'], {
      XDG_CONFIG_HOME: join(root, 'ci.pem'),
    })
    expect([blocked.status, existsSync(join(root, 'third'))]).toEqual([24, false])
  })

  it('approve, pack, show and revoke', () => {
    const copy = join(root, 'approved', id)
    cpSync(folder, copy, { recursive: true })
    for (const who of ['alice', 'bob']) {
      expect(lighthouse(['certify', 'keygen', `${who}.pem`, '--principal', who]).status).toBe(0)
      expect(
        lighthouse(['certify', 'trust', 'add', `${who}.pem.pub`, '--principal', who, '--for', 'approve']).status,
      ).toBe(0)
      expect(lighthouse(['certify', 'approve', copy, '--key', `${who}.pem`]).status).toBe(0)
    }
    expect(lighthouse(['certify', 'approve', copy, '--key', 'ci.pem']).status).toBe(2)
    expect(lighthouse(['certify', 'verify', copy, '--signoffs', '3']).status).toBe(34)
    expect(lighthouse(['certify', 'pack', copy]).status).toBe(0)
    expect(lighthouse(['certify', 'pack', copy]).status).toBe(2)
    expect(lighthouse(['certify', 'verify', `${id}.tar.gz`, '--signoffs', '2']).status).toBe(0)
    const shown = lighthouse(['certify', 'show', `${id}.tar.gz`])
    expect(shown.stdout).toBe(readFileSync(join(folder, `${id}.md`), 'utf8'))
    expect(shown.stderr).toContain('Not verified')
    const environment = { XDG_CONFIG_HOME: join(root, 'revoking') }
    lighthouse(['certify', 'trust', 'add', 'ci.pem.pub', '--principal', 'ci@example.org'], environment)
    expect(lighthouse(['certify', 'verify', folder], environment).status).toBe(0)
    const fingerprint = /SHA256:\S+/.exec(lighthouse(['certify', 'trust', 'list'], environment).stdout)?.[0] ?? ''
    expect(lighthouse(['certify', 'trust', 'revoke', fingerprint, '--reason', 'test'], environment).status).toBe(0)
    expect(lighthouse(['certify', 'verify', folder], environment).status).toBe(31)
  })

  it('take no trust from a configuration file beside the package', () => {
    const place = join(root, 'planted')
    mkdirSync(place)
    writeFileSync(join(place, 'lighthouse.config.yaml'), `allowedSigners: ${join(root, 'ci.pem.allowed_signers')}\n`)
    const environment = {
      XDG_CONFIG_HOME: join(root, 'nobody'),
      LIGHTHOUSE_CONFIG: join(place, 'lighthouse.config.yaml'),
    }
    expect(lighthouse(['certify', 'verify', folder], environment).status).toBe(2)
  })
})

/** The block of the document that is tagged `name`, exactly as a reader would paste it. */
function block(name: string): string {
  const text = new RegExp(`^\`\`\`bash ${name}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(document)?.[1]
  if (text === undefined) throw new Error(`no document has a block ${name}`)
  return text
}

const installed = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0

describe('the commands of README.md and docs/certificates.md', () => {
  const workspace = (name: string): string => {
    const place = join(root, name)
    cpSync(folder, place, { recursive: true })
    copyFileSync(join(root, 'ci.pem.pub'), join(place, 'lighthouse.pub'))
    copyFileSync(join(root, 'ci.pem.allowed_signers'), join(place, 'allowed_signers'))
    return place
  }
  const bash = (name: string, cwd: string, more: Record<string, string> = {}): number | null =>
    spawnSync('bash', ['-c', block(name)], {
      cwd,
      timeout: 30_000,
      env: { PATH: process.env['PATH'] ?? '', ID: id, WHO: 'ci@example.org', ...more },
    }).status

  const rows: [string, string, (place: string) => void][] = [
    ['verify-ssh', 'ssh-keygen', (place) => edit(join(place, `${id}.md`), (text) => text.replace('n=3600', 'n=9600'))],
    ['verify-ssh', 'ssh-keygen', (place) => edit(join(place, `${id}.md`), (text) => `${text}APPROVED\n`)],
    ['verify-openssl', 'openssl', (place) => edit(join(place, `${id}.md`), (text) => `${text}APPROVED\n`)],
    ['verify-openssl', 'openssl', (place) => edit(join(place, `${id}.SHA256SUMS`), (text) => text.replace('a', 'b'))],
    ['verify-openssl', 'openssl', (place) => copyFileSync(join(root, 'other.pem.pub'), join(place, 'lighthouse.pub'))],
    ['verify-evidence', 'sha256sum', (place) => edit(join(place, 'evidence', 'run.json'), (text) => `${text} `)],
    ['verify-evidence', 'sha256sum', (place) => writeFileSync(join(place, 'evidence', 'extra'), '')],
  ]
  beforeAll(() => {
    lighthouse(['certify', 'keygen', 'other.pem'])
  })

  it.each(rows.map((row, index) => [...row, index] as const))(
    '%s accepts the package and catches a change',
    (name, tool, damage, index) => {
      if (!installed(tool) || (tool === 'openssl' && !installed('jq'))) {
        console.warn(`SKIPPED ${name}: ${tool} (or jq) is not installed`)
        return
      }
      const place = workspace(`stock-${index}`)
      expect(bash(name, place)).toBe(0)
      damage(place)
      expect(bash(name, place)).not.toBe(0)
    },
  )

  it('verify-signoff accepts an approval of this text and no other', () => {
    const place = workspace('stock-signoff')
    lighthouse(['certify', 'keygen', 'eve.pem', '--principal', 'eve'])
    expect(lighthouse(['certify', 'approve', folder, '--key', 'eve.pem']).status).toBe(0)
    const [name = ''] = readdirSync(join(folder, 'signoffs'))
    copyFileSync(join(folder, 'signoffs', name), join(place, 'eve.sig'))
    copyFileSync(join(root, 'eve.pem.allowed_signers'), join(place, 'allowed_signers'))
    const more = { APPROVER: 'eve', SIGNOFF: 'eve.sig' }
    expect(bash('verify-signoff', place, more)).toBe(0)
    edit(join(place, `${id}.md`), (text) => text.replace('n=3600', 'n=9600'))
    expect(bash('verify-signoff', place, more)).not.toBe(0)
  })

  it.skipIf(!installed('cosign'))('verify-cosign (SKIPPED where cosign is not installed)', () => {
    const place = workspace('stock-cosign')
    expect(bash('verify-cosign', place)).toBe(0)
    edit(join(place, `${id}.md`), (text) => `${text}APPROVED\n`)
    expect(bash('verify-cosign', place)).not.toBe(0)
  })
})
