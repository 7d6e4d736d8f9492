/** Limits of machines from recorded, hostile and missing texts of /proc and /sys. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cgroupFolders,
  listenOnLoopback,
  parseByteLimit,
  parseCgroupMount,
  parseCgroupPath,
  parseCpuMax,
  parseMeminfo,
  parsePortList,
  parsePortRange,
  parseSockstat,
  readCpus,
  readDescriptors,
  readMemory,
  readPorts,
  readSystemText,
  type ReadText,
} from '../../../src/measurement/machine-limits.ts'

const limits = (soft: string, hard: string): string =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max processes             unlimited            unlimited            processes ',
    `Max open files            ${soft.padEnd(20)} ${hard.padEnd(20)} files     `,
    'Max locked memory         8388608              8388608              bytes     ',
  ].join('\n')

/** As systemd mounts it, and as a container sees it. */
const mountinfo = [
  '24 1 252:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw',
  '31 24 0:27 / /sys rw,nosuid - sysfs sysfs rw',
  '35 31 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate',
].join('\n')
const sockstat = 'sockets: used 292\nTCP: inuse 25 orphan 1 tw 307 alloc 31 mem 4\nUDP: inuse 4 mem 1\nRAW: inuse 0\n'
const meminfo =
  'MemTotal:       24684092 kB\nMemFree:        23975392 kB\nMemAvailable:   24098496 kB\nBuffers: 2308 kB\n'

function files(texts: Readonly<Record<string, string>>): ReadText {
  return (path) => texts[path] ?? null
}

const nested = {
  '/proc/self/mountinfo': mountinfo,
  '/proc/self/cgroup': '0::/user.slice/run.scope\n',
  '/proc/meminfo': meminfo,
}

describe('descriptors', () => {
  it('has a soft and a hard limit', () => {
    const read = (text: string) => readDescriptors(files({ '/proc/self/limits': text }))
    expect(read(limits('1024', '524288'))).toEqual({ soft: { value: 1024 }, hard: { value: 524_288 } })
    expect(read(limits('20000', 'unlimited')).hard).toEqual({ value: null, reason: 'unlimited' })
    expect(read('Max open files\n').soft.value).toBeNull()
  })

  it('is unknown with the reason where there is no such text', () => {
    const { soft, hard } = readDescriptors(files({}))
    expect([soft.value, hard.value]).toEqual([null, null])
    expect(soft.reason).toMatch(/not readable/)
  })
})

describe('control groups', () => {
  it('are found from their mount and path, own folder first', () => {
    expect(cgroupFolders(files(nested))).toEqual([
      '/sys/fs/cgroup/user.slice/run.scope',
      '/sys/fs/cgroup/user.slice',
      '/sys/fs/cgroup',
    ])
    expect(cgroupFolders(files({ ...nested, '/proc/self/cgroup': '0::/\n' }))).toEqual(['/sys/fs/cgroup'])
  })

  it('of version 1, or none, have no folder', () => {
    expect(cgroupFolders(files({}))).toEqual([])
    expect(parseCgroupMount('36 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory')).toBeNull()
    expect(parseCgroupPath('4:memory:/a\n1:cpu:/\n')).toBeNull()
  })

  it('are found beside groups of version 1', () => {
    expect(parseCgroupPath('9:name=systemd:/\n4:memory:/a\n0::/b\n')).toBe('/b')
  })

  it.each([
    ['0::/../../other\n', '/'],
    ['0::relative\n', null],
    ['0::/a b\n', null],
    ['', null],
  ])('reads no path that it should not from %j', (text, path) => {
    expect(parseCgroupPath(text)).toBe(path)
  })

  it.each([
    ['200000 100000\n', 2],
    ['150000 100000', 1.5],
    ['max 100000\n', null],
    ['0 100000', null],
    ['100000 0', null],
    ['-1 100000', null],
    ['1e9 1', null],
    ['', null],
  ])('read the quota of %j', (text, cores) => {
    expect(parseCpuMax(text)).toBe(cores)
  })

  it.each([
    ['1073741824\n', 1_073_741_824],
    ['max\n', null],
    ['-1', null],
    ['1 2', null],
    ['', null],
  ])('read the limit of %j', (text, bytes) => {
    expect(parseByteLimit(text)).toBe(bytes)
  })
})

describe('cores', () => {
  const machine = { logical: 8, usable: 8 }

  it('are those that affinity leaves, without a quota', () => {
    expect(readCpus(files({}), { logical: 8, usable: 3 })).toEqual({ logical: 8, usable: 3, quotaCores: null })
  })

  it('are cut by the tightest quota on the way up', () => {
    const texts = {
      ...nested,
      '/sys/fs/cgroup/user.slice/run.scope/cpu.max': '400000 100000\n',
      '/sys/fs/cgroup/user.slice/cpu.max': '150000 100000\n',
    }
    expect(readCpus(files(texts), machine)).toEqual({ logical: 8, usable: 1.5, quotaCores: 1.5 })
    const none = { ...nested, '/sys/fs/cgroup/user.slice/cpu.max': 'max 100000\n' }
    expect(readCpus(files(none), machine).quotaCores).toBeNull()
  })
})

describe('memory', () => {
  it('is what the machine has available', () => {
    expect(parseMeminfo(meminfo)).toEqual({ totalBytes: 24_684_092 * 1024, availableBytes: 24_098_496 * 1024 })
    expect(parseMeminfo('MemTotal: 1 MB\n')).toBeNull()
    expect(readMemory(files({}), 0).availableBytes.value).toBeNull()
  })

  it('is cut by the limit of a group, without what the group uses and would give back', () => {
    const group = '/sys/fs/cgroup/user.slice'
    const texts = {
      ...nested,
      [`${group}/memory.max`]: '1000000\n',
      [`${group}/memory.current`]: '700000\n',
      [`${group}/memory.stat`]: 'anon 500000\ninactive_file 150000\nactive_file 50000\n',
    }
    const reading = readMemory(files(texts), 0)
    expect(reading.availableBytes.value).toBe(450_000)
    expect(reading.limitBytes).toBe(1_000_000)
  })

  it('is cut by a limit that only the runtime knows, unless that is absurd', () => {
    expect(readMemory(files(nested), 2 ** 30)).toMatchObject({
      availableBytes: { value: 2 ** 30 },
      limitBytes: 2 ** 30,
    })
    for (const none of [0, 2 ** 63]) expect(readMemory(files(nested), none).limitBytes).toBeNull()
  })
})

describe('ports', () => {
  const texts = {
    '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
    '/proc/sys/net/ipv4/ip_local_reserved_ports': '8080,40000-40009\n',
    '/proc/net/sockstat': sockstat,
  }
  const listens = () => Promise.resolve({ value: true })

  it('are the range without those reserved, with what is in use', async () => {
    expect(await readPorts(files(texts), listens)).toEqual({
      canListen: { value: true },
      range: { value: [32_768, 60_999] },
      usable: { value: 28_222 },
      tcpInUse: { value: 25 },
      timeWait: { value: 307 },
    })
  })

  it('are unknown where there is no such range', async () => {
    const { usable, range, tcpInUse } = await readPorts(files({}), listens)
    expect([usable.value, range.value, tcpInUse.value]).toEqual([null, null, null])
    expect(usable.reason).toMatch(/ip_local_port_range is not readable/)
  })

  it.each(['', '60999 32768', '0 100', '1 70000', '32768', 'a b', '1 2 3', '-5 10'])('refuses the range %j', (text) => {
    expect(parsePortRange(text)).toBeNull()
  })

  it('reads lists of ports, and leaves out what is none', () => {
    expect(parsePortList('8080,9000-9010\n')).toEqual([
      [8080, 8080],
      [9000, 9010],
    ])
    for (const text of ['', '\n', '9-3', 'a-b', '1-2-3', '-1']) expect(parsePortList(text)).toEqual([])
  })

  it('reads the counts of sockets', () => {
    expect(parseSockstat(sockstat)).toEqual({ inUse: 25, timeWait: 307 })
    for (const text of ['', 'TCP: inuse x orphan 0 tw 1 alloc', 'UDP: inuse 4 mem 1'])
      expect(parseSockstat(text)).toBeNull()
  })

  it('can be listened on', async () => {
    expect(await listenOnLoopback()).toEqual({ value: true })
  })
})

it('no parser throws on any text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
      for (const parse of [
        parseCgroupMount,
        parseCgroupPath,
        parseCpuMax,
        parseByteLimit,
        parseMeminfo,
        parsePortRange,
        parsePortList,
        parseSockstat,
      ]) {
        parse(text)
      }
      const all: ReadText = () => text
      readDescriptors(all)
      expect(readCpus(all).usable).toBeGreaterThan(0)
      readMemory(all, 0)
    }),
  )
})

it.runIf(process.platform === 'linux')('reads this machine', async () => {
  const read = readSystemText
  expect(readDescriptors(read).soft.value ?? Infinity).toBeGreaterThan(0)
  expect(readCpus(read).usable).toBeGreaterThan(0)
  const { totalBytes, availableBytes } = readMemory(read)
  expect(totalBytes.value ?? 0).toBeGreaterThanOrEqual(availableBytes.value ?? Infinity)
  expect((await readPorts(read)).usable.value ?? 0).toBeGreaterThan(0)
  expect(readSystemText('/nothing/here')).toBeNull()
})
