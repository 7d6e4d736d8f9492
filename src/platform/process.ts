/**
 * The process around us: environment variables, identity, and what children may inherit. The only reader of
 * `process.env`. Children get an allow-list, so that no key or token of the parent reaches an engine.
 */
import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { LighthouseError } from './errors.ts'

const inherited = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'NODE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
] as const

/** What threads and children inherit. */
export function childEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { NODE_NO_WARNINGS: '1' }
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}

export function environmentVariable(name: string): string | undefined {
  const value = process.env[name]
  return value === undefined || value === '' ? undefined : value
}

/** Reads a secret and removes it, so that nothing started later can see it. */
export function takeSecret(name: string): string {
  const value = environmentVariable(name)
  delete process.env[name]
  if (value === undefined) {
    throw new LighthouseError('USAGE', `the environment variable ${name} is not set`, {
      suggestions: [`Set ${name}, or name a file instead.`],
    })
  }
  return value
}

/** Whether a program of this name can be run. */
export function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

/** The user's configuration folder of this program; it may not exist. */
export function configurationFolder(): string {
  const base = environmentVariable('XDG_CONFIG_HOME') ?? join(homedir(), '.config')
  return join(base, 'lighthouse')
}
