/**
 * Flags that commands about a bridge share: where it is, and with which key it is spoken to.
 */
import { textFlag, urlFlag } from './configuration/flags.ts'

const group = 'BRIDGE'

export const adminKeyFileFlag = {
  'admin-key-file': textFlag(
    'admin-key-file',
    {
      summary: 'File of the key with which flags are changed; a server makes it if it does not exist',
      example: 'admin.key',
      group,
    },
    '<file>',
  ),
}

export const bridgeFlags = {
  url: urlFlag('url', {
    summary: 'Address of the bridge (default http://127.0.0.1:8765)',
    example: 'https://10.0.0.5:8765',
    group,
  }),
  ca: textFlag(
    'ca',
    { summary: 'PEM file of the authority that signed its certificate', example: 'ca.pem', group },
    '<file>',
  ),
  ...adminKeyFileFlag,
}

export interface BridgeFlagValues {
  readonly url?: string | undefined
  readonly ca?: string | undefined
  readonly 'admin-key-file'?: string | undefined
}
