/** `lighthouse serve hybrid`: see serve-command.ts. */
import { ServeCommand, serveFlags } from '../../serve-command.ts'

export default class ServeHybrid extends ServeCommand {
  static override summary = 'Run the polling engine with wake-ups (control arm)'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --port 8080 --store events.db',
    '<%= config.bin %> <%= command.id %> --tls-cert server.pem --tls-key server.key --listen 0.0.0.0',
  ]

  static override flags = { ...serveFlags }

  protected override readonly engine = 'hybrid' as const
}
