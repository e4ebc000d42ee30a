import { badModel, MODEL_LIMITS } from './lint-state.ts'
import { hasOperator } from './operators.ts'
import type { Body, Call } from './walk-graph.ts'
import type { ModelFacts } from './walk-model.ts'

/** Checks that every operator exists, and that functions neither call each other in a circle, too deep, nor unfold into too many nodes. */
export function checkCalls(model: ModelFacts): void {
  const unfolded = new Map<Body, number>()
  const active = new Set<Body>()

  // Recursion ends at MODEL_LIMITS.functionDepth; what was counted once isn't walked again, so this takes linear time.
  const unfold = (body: Body): number => {
    const known = unfolded.get(body)
    if (known !== undefined) return known
    if (active.has(body)) throw badModel('has functions that call each other in a circle', 'export it again')
    if (active.size > MODEL_LIMITS.functionDepth)
      throw badModel(`chains functions more than ${MODEL_LIMITS.functionDepth} deep`, 'inline them before you export')
    active.add(body)
    let nodes = body.nodes
    for (const [key, call] of body.calls) {
      const callee = model.functions.get(key)
      if (callee !== undefined) nodes += call.times * unfold(callee)
      else checkOperator(call)
    }
    active.delete(body)
    if (nodes - body.nodes > MODEL_LIMITS.unfoldedNodes) throw badModel(`unfolds its functions to more than ${MODEL_LIMITS.unfoldedNodes} nodes`, 'simplify it')
    unfolded.set(body, nodes)
    return nodes
  }

  unfold(model.main)
  for (const body of model.functions.values()) unfold(body)
}

function checkOperator({ domain, operator }: Call): void {
  if (hasOperator(domain === 'ai.onnx' ? '' : domain, operator)) return
  const label = JSON.stringify(`${domain === '' ? 'ai.onnx' : domain}:${operator}`.slice(0, 120))
  throw badModel(`uses the operator ${label}, which ONNX Runtime doesn't have`, 'export it with standard operators')
}
