import type { RunnableModel } from '../runner.ts'
import type { LoadedTask } from './task.ts'
export async function loadOcrTask(_model: RunnableModel, _threads: number): Promise<LoadedTask> {
  throw new Error('x')
}
