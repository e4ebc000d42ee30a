import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Certificate } from './transport.ts'

const SUBJECT = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']

/** A P-256 certificate for loopback, as short-lived services have; undefined where openssl is not installed. */
export function createCertificate(folder: string): Certificate | undefined {
  const files = { certificateFile: join(folder, 'certificate.pem'), keyFile: join(folder, 'key.pem') }
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  try {
    execFileSync('openssl', [...kind, ...SUBJECT, '-keyout', files.keyFile, '-out', files.certificateFile], { stdio: 'ignore' })
    return files
  } catch {
    return undefined
  }
}
