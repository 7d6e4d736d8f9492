/** A peer for tests: echoes, fails on demand, tells its environment, and can end itself. */
import { LighthouseError } from '../../../src/platform/errors.ts'
import { servePeer } from '../../../src/platform/peer.ts'

const parent = servePeer({
  echo: (payload) => payload,
  fail() {
    throw new LighthouseError('USAGE', 'asked to fail', { suggestions: ['Do not ask.'] })
  },
  environment: () => Object.keys(process.env),
  tell(payload) {
    parent.telemetry('said', payload)
  },
  silent: () => new Promise<never>(() => undefined),
  die() {
    process.stderr.write('last words\n')
    process.exit(7)
  },
})
