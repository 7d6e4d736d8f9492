/**
 * SSHSIG writer and reader (OpenSSH PROTOCOL.sshsig, version 1) for Ed25519 with SHA-512: what
 * `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` accepts. A signature names its namespace; the reader
 * takes the expected one from its caller, never from the signature. The armour is accepted in one spelling
 * only: it is encoded again from the parsed fields and must give the same bytes.
 */
import { createHash, sign, verify } from 'node:crypto'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { publicKeyObject, type SigningKey } from './keys.ts'
import { ed25519Name, publicKeyBlob, rawPublicKey, sshString, SshReader } from './ssh-wire.ts'
import { malformed } from './text-rules.ts'

export const armourBegin = '-----BEGIN SSH SIGNATURE-----'
export const armourEnd = '-----END SSH SIGNATURE-----'

const magic = Buffer.from('SSHSIG', 'latin1')
const hashName = 'sha512'
const lineCharacters = 70

export interface SshSignature {
  /** 32 raw bytes. Says who claims to have signed; whether that key is trusted is the caller's question. */
  readonly publicKey: Uint8Array
  readonly namespace: string
  readonly signature: Uint8Array
}

function signedData(message: Uint8Array, namespace: string): Buffer {
  const digest = createHash(hashName).update(message).digest()
  return Buffer.concat([magic, sshString(namespace), sshString(''), sshString(hashName), sshString(digest)])
}

/** Armoured lines, ending in a line feed. */
export function signSsh(message: Uint8Array, namespace: string, key: SigningKey): string {
  const signature = sign(null, signedData(message, namespace), key.privateKey)
  return armour({ publicKey: key.publicKey, namespace, signature })
}

/** Whether `signature` is by its own key over `message` in `namespace`. Says nothing about trust. */
export function verifySsh(message: Uint8Array, namespace: string, signature: SshSignature): boolean {
  if (signature.namespace !== namespace) return false
  return verify(null, signedData(message, namespace), publicKeyObject(signature.publicKey), signature.signature)
}

export function armour(signature: SshSignature): string {
  const version = Buffer.alloc(4)
  version.writeUInt32BE(1)
  const blob = Buffer.concat([
    magic,
    version,
    sshString(publicKeyBlob(signature.publicKey)),
    sshString(signature.namespace),
    sshString(''),
    sshString(hashName),
    sshString(Buffer.concat([sshString(ed25519Name), sshString(signature.signature)])),
  ])
  const lines = encodeBase64(blob).match(new RegExp(`.{1,${lineCharacters}}`, 'g')) ?? []
  return [armourBegin, ...lines, armourEnd, ''].join('\n')
}

/** The type of the key of an armoured signature, e.g. `ssh-rsa`; throws for what is no SSHSIG at all. */
export function armouredKeyType(text: string, what: string): string {
  return new SshReader(openArmour(text, what).string(), what).text()
}

/** Parses exactly one armoured signature, `text` from BEGIN to the line feed after END. */
export function parseArmour(text: string, what: string): SshSignature {
  const reader = openArmour(text, what)
  const publicKey = rawPublicKey(reader.string(), `the public key of ${what}`)
  const namespace = reader.text()
  if (reader.string().length !== 0) throw malformed(`${what} uses the reserved field`)
  const hash = reader.text()
  if (hash !== hashName) throw malformed(`${what} hashes with ${JSON.stringify(hash.slice(0, 20))}, not ${hashName}`)
  const inner = new SshReader(reader.string(), what)
  reader.end()
  if (inner.text() !== ed25519Name) throw malformed(`${what} is not an ${ed25519Name} signature`)
  const signature = inner.string()
  inner.end()
  if (signature.length !== 64) throw malformed(`${what} has ${signature.length} bytes of signature instead of 64`)
  const parsed: SshSignature = { publicKey, namespace, signature }
  if (armour(parsed) !== text) throw malformed(`${what} is not armoured as OpenSSH writes it`)
  return parsed
}

/** A reader that stands at the public key. */
function openArmour(text: string, what: string): SshReader {
  const lines = text.split('\n')
  if (lines[0] !== armourBegin || lines.at(-1) !== '' || lines.at(-2) !== armourEnd) {
    throw malformed(`${what} is not one armoured SSH signature`)
  }
  const reader = new SshReader(decodeBase64(lines.slice(1, -2).join(''), what), what)
  if (!reader.take(magic.length).equals(magic)) throw malformed(`${what} does not begin with SSHSIG`)
  if (reader.uint32() !== 1) throw malformed(`${what} is not SSHSIG version 1`)
  return reader
}
