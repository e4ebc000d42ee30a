import { readFile } from 'node:fs/promises'
import { FileUtilsBase, ImageRawBase, type ImageRawData, registerBackend, type SizeOption } from '@gutenye/ocr-common'
import { splitIntoLineImages } from '@gutenye/ocr-common/splitIntoLineImages'
import type { InferenceSession } from 'onnxruntime-node'
import sharp from 'sharp'

/** Where the OCR library finds what it asks for by name; it opens images by path, and what a client sent must never become a file. */
export interface MemoryBackend {
  /** An image under a name of the caller's making. */
  readonly images: Map<string, ImageRawData>
  readonly openSession: (path: string) => Promise<InferenceSession>
}

/** Makes the OCR library take images from memory and sessions from us; one backend a process. */
export function useMemoryBackend({ images, openSession }: MemoryBackend): void {
  class MemoryImage extends ImageRawBase {
    static open(name: string): MemoryImage {
      const image = images.get(name)
      if (image === undefined) throw new Error(`no image is called ${name}`)
      return new MemoryImage(image)
    }

    /** Scales this image in place, as the library's own does. */
    async resize(size: SizeOption): Promise<this> {
      const { width, height } = this
      const scaled = sharp(this.data, { raw: { width, height, channels: 4 } }).resize({ width: size.width, height: size.height, fit: 'contain' })
      const { data, info } = await scaled.raw().toBuffer({ resolveWithObject: true })
      this.data = data
      this.width = info.width
      this.height = info.height
      return this
    }
  }
  class DictionaryFile extends FileUtilsBase {
    static override read(path: string): Promise<string> {
      return readFile(path, 'utf8')
    }
  }
  registerBackend({
    FileUtils: DictionaryFile,
    ImageRaw: MemoryImage,
    InferenceSession: { create: openSession },
    splitIntoLineImages,
    defaultModels: undefined
  })
}
