/**
 * An elicitation server in a process of its own, for tests that kill it. Settings come as one JSON argument, the URL goes to
 * standard output. It leaves with its parent.
 */
import { startServer, type ServerSettings } from '../unit/elicitation/engine-harness.ts'

const settings: unknown = JSON.parse(process.argv[2] ?? '{}')
process.on('disconnect', () => process.exit(0))
const server = await startServer(settings as ServerSettings)
process.send?.(server.url)
