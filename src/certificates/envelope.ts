/**
 * The DSSE envelope in a Sigstore bundle v0.3. The pre-authentication encoding is length-prefixed and signs the
 * payload's type, so no canonical form is needed: bytes are signed, and parsed only after they verified, from the
 * same buffer. `keyid` is left unset and `hint` ignored on reading: neither chooses a key.
 */
import { sign, verify } from 'node:crypto'
import { decodeAnyBase64, encodeBase64 } from './base64.ts'
import { bundleMediaType, limits, payloadType } from './format.ts'
import { publicKeyObject, type SigningKey } from './keys.ts'
import { jsonArray, jsonObject, jsonString, onlyKeys, parseStrictJson } from './strict-json.ts'
import { malformed } from './text-rules.ts'

export interface Envelope {
  /** Not to be parsed before `verifyEnvelope` has said yes. */
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/** DSSE v1 PAE; both lengths are of bytes. */
export function preAuthenticationEncoding(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `, 'utf8'), payload])
}

/** The text of `<ID>.md.sigstore.json`. */
export function writeBundle(payload: Uint8Array, key: SigningKey): string {
  const signature = sign(null, preAuthenticationEncoding(payloadType, payload), key.privateKey)
  const bundle = {
    mediaType: bundleMediaType,
    verificationMaterial: { publicKey: { hint: key.fingerprint } },
    dsseEnvelope: {
      payload: encodeBase64(payload),
      payloadType,
      signatures: [{ sig: encodeBase64(signature) }],
    },
  }
  return `${JSON.stringify(bundle, null, 2)}\n`
}

export function parseBundle(bytes: Uint8Array, name: string): Envelope {
  if (bytes.length > limits.bundleBytes) throw malformed(`${name} is larger than ${limits.bundleBytes} bytes`)
  const bundle = jsonObject(parseStrictJson(bytes, name), name)
  onlyKeys(bundle, ['mediaType', 'verificationMaterial', 'dsseEnvelope'], name)
  if (bundle['mediaType'] !== bundleMediaType) throw malformed(`${name}: mediaType is not ${bundleMediaType}`)
  const material = jsonObject(bundle['verificationMaterial'], `${name}: verificationMaterial`)
  onlyKeys(material, ['publicKey', 'tlogEntries', 'timestampVerificationData'], `${name}: verificationMaterial`)
  const envelope = jsonObject(bundle['dsseEnvelope'], `${name}: dsseEnvelope`)
  onlyKeys(envelope, ['payload', 'payloadType', 'signatures'], `${name}: dsseEnvelope`)
  if (envelope['payloadType'] !== payloadType) throw malformed(`${name}: payloadType is not ${payloadType}`)
  const signatures = jsonArray(envelope['signatures'], `${name}: signatures`)
  if (signatures.length !== 1) throw malformed(`${name} holds ${signatures.length} signatures instead of one`)
  const only = jsonObject(signatures[0], `${name}: signatures[0]`)
  onlyKeys(only, ['sig', 'keyid'], `${name}: signatures[0]`)
  const signature = decodeAnyBase64(jsonString(only['sig'], `${name}: sig`), `${name}: sig`)
  if (signature.length !== 64) throw malformed(`${name}: sig has ${signature.length} bytes instead of 64`)
  const payload = decodeAnyBase64(jsonString(envelope['payload'], `${name}: payload`), `${name}: payload`)
  return { payload, signature }
}

export function verifyEnvelope(envelope: Envelope, publicKey: Uint8Array): boolean {
  const encoded = preAuthenticationEncoding(payloadType, envelope.payload)
  return verify(null, encoded, publicKeyObject(publicKey), envelope.signature)
}
