/** Planted names and paths must be found wherever they stand; ordinary words must not. */
import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { assertNoSecrets, findSecrets, machineIdentity, redact } from '../../../src/measurement/redaction.ts'

const identity = {
  hostName: 'gandalf.example.org',
  userName: 'bilbo',
  folders: ['/home/bilbo', '/home/bilbo/src/shire', 'D:\\baggins'],
}

describe('redact', () => {
  it.each([
    ['ran on gandalf today', 'ran on <host name> today'],
    ['GANDALF.EXAMPLE.ORG:8080', '<host name>:8080'],
    ['"user":"bilbo"', '"user":"<user name>"'],
    ['bilbo@gandalf', '<user name>@<host name>'],
    ['6.18.0-gandalf', '6.18.0-<host name>'],
    ['at /home/bilbo/src/shire/a.ts:3:1', 'at <absolute path>:3:1'],
    ['"/home/bilbo"', '"<absolute path>"'],
    ['D:\\baggins\\ring.txt', '<absolute path>'],
    ['C:\\Users\\frodo\\x', '<absolute path>'],
    ['file:///srv/x/y.js', '<absolute path>'],
    ['ENOENT: open /tmp/lighthouse-x/run.json', 'ENOENT: open <absolute path>'],
    ['/Users/frodo/x and /var/lib/y', '<absolute path> and <absolute path>'],
  ])('%s', (text, expected) => {
    expect(redact(text, identity)).toBe(expected)
    expect(findSecrets(text, identity)).not.toEqual([])
    expect(findSecrets(redact(text, identity), identity)).toEqual([])
  })

  it.each([
    'bilbos gandalfian exchanges/s of GET /event/wait over https://127.0.0.1:8080/event/store',
    'rounds/00-elicitation/round.json, 200 exchanges/s, a/b, and/or, 1/(1-Percentile)',
    'elicitation.roundTrip.p99 < 300ms',
  ])('leaves alone: %s', (text) => {
    expect(redact(text, identity)).toBe(text)
  })

  it('does not take names that identify nobody', () => {
    const container = { hostName: 'localhost', userName: 'root', folders: ['/root', '/'] }
    expect(redact('root cause on localhost in /root/x', container)).toBe('root cause on localhost in <absolute path>')
  })
})

describe('assertNoSecrets', () => {
  it('names the place and the kind, never the secret', () => {
    const planted = 'first line\nsecond line by bilbo\n'
    expect(() => assertNoSecrets(planted, 'report.md', identity)).toThrow(/^report\.md, line 2: holds a user name/)
    expect(() => assertNoSecrets(planted, 'report.md', identity)).not.toThrow(/bilbo/)
    expect(() => assertNoSecrets('nothing here', 'report.md', identity)).not.toThrow()
  })
})

describe('machineIdentity', () => {
  it('knows this machine', () => {
    const own = machineIdentity()
    expect(own.hostName).toBe(hostname())
    expect(redact(`${process.cwd()}/x`, own)).toBe('<absolute path>')
  })
})
