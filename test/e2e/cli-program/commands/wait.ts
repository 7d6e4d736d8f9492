/** Waits until it is interrupted, or until `--for` has passed; exits with `--code`. Only tests run it. */
import { BaseCommand } from '../../../../src/base-command.ts'
import { comparisonFlags, readSettings } from '../../../../src/command-flags.ts'
import { durationFlag, wholeFlag } from '../../../../src/configuration/flags.ts'
import { delay } from '../../../../src/platform/clock.ts'
import { LighthouseError } from '../../../../src/platform/errors.ts'
import { Args } from '@oclif/core'

export default class Wait extends BaseCommand {
  static override summary = 'Waits'
  static override args = {
    mode: Args.string({ ignoreStdin: true, options: ['end', 'defect', 'fail', 'stubborn', 'system'] }),
  }
  static override flags = {
    ...comparisonFlags,
    for: durationFlag('for', { summary: 'How long', example: '1s', group: 'TEST' }, { min: 0, max: 60_000 }),
    code: wholeFlag('code', { summary: 'Exit code', example: '21', group: 'TEST' }, { min: 0, max: 255 }),
  }

  async run(): Promise<unknown> {
    const { flags, args } = await this.parse(Wait)
    if (args.mode === 'defect') throw new TypeError('a planted defect')
    if (args.mode === 'fail')
      throw new LighthouseError('ENGINE_START', 'a planted failure', { suggestions: ['Plant none.'] })
    if (args.mode === 'system')
      throw Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), { code: 'EACCES', syscall: 'mkdir' })
    this.tell('waiting')
    if (args.mode === 'stubborn') await delay(60_000)
    else await delay(flags.for ?? 0, this.signal)
    this.exitWith(flags.code ?? 0)
    const partial = this.signal.aborted
    this.log('done')
    return { partial, settings: readSettings(flags), certificate: flags.certificate, seed: flags.seed ?? null }
  }
}
