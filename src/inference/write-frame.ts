import type { Socket } from 'node:net'

/** Writes the parts of a frame with one system call. */
export function writeFrame(socket: Socket, parts: readonly Uint8Array[]): void {
  const [first] = parts
  if (first !== undefined && parts.length === 1) {
    socket.write(first)
    return
  }
  socket.cork()
  for (const part of parts) socket.write(part)
  socket.uncork()
}
