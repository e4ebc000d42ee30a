/** What a file that isn't ONNX most often is, told by its first bytes, and how to get an ONNX model out of it. */
const FORMATS: readonly { readonly at: number; readonly bytes: string; readonly name: string; readonly remedy?: string }[] = [
  { at: 0, bytes: '\x89PNG', name: 'a PNG image' },
  { at: 0, bytes: '\xff\xd8\xff', name: 'a JPEG image' },
  { at: 0, bytes: '%PDF', name: 'a PDF file' },
  { at: 0, bytes: 'PK\x03\x04', name: 'a ZIP archive (a PyTorch file?)' },
  { at: 0, bytes: '\x1f\x8b', name: 'a gzip archive', remedy: 'unpack it first' },
  { at: 0, bytes: '\x28\xb5\x2f\xfd', name: 'a zstd archive', remedy: 'unpack it first' },
  { at: 0, bytes: 'GGUF', name: 'a GGUF file (llama.cpp)' },
  { at: 0, bytes: '\x89HDF', name: 'an HDF5 file (Keras?)' },
  { at: 0, bytes: '\x80\x02', name: 'a Python pickle' },
  { at: 0, bytes: '\x80\x04', name: 'a Python pickle' },
  { at: 0, bytes: '\x7fELF', name: 'a program' },
  { at: 0, bytes: '<', name: 'an HTML or XML page', remedy: 'download the model itself' },
  { at: 0, bytes: 'version https://git-lfs', name: 'a Git LFS pointer', remedy: 'fetch the model itself with `git lfs pull`' },
  // ONNX Runtime takes bytes with this mark as its own format, past every check of the ONNX in them.
  { at: 4, bytes: 'ORTM', name: 'an ORT-format model', remedy: 'use the .onnx that it was made from' },
  { at: 4, bytes: 'TFL3', name: 'a TensorFlow Lite model' },
  { at: 8, bytes: '{"', name: 'a safetensors file' }
]

/** Bytes that `foreignFormat` needs to see. */
export const FORMAT_BYTES = 32

/** What the first bytes of a file show it to be, when that can't be ONNX. */
export function foreignFormat(head: Uint8Array): { readonly name: string; readonly remedy: string } | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, FORMAT_BYTES)).toString('latin1')
  const format = FORMATS.find(({ at, bytes }) => text.startsWith(bytes, at))
  return format === undefined ? undefined : { name: format.name, remedy: format.remedy ?? 'export the model as ONNX' }
}
