/** `lighthouse serve elicitation`: see serve-command.ts. */
import { ServeCommand, serveFlags } from '../../serve-command.ts'

export default class ServeElicitation extends ServeCommand {
  static override summary = 'Run the elicitation engine (push over WebSocket and SSE)'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --port 8080 --store events.db',
    '<%= config.bin %> <%= command.id %> --tls-cert server.pem --tls-key server.key --listen 0.0.0.0',
  ]

  static override flags = { ...serveFlags }

  protected override readonly engine = 'elicitation' as const
}
