/**
 * Decisions that were made, for as long as nothing that they speak of is replaced: clients come again and again, and to ask all
 * policies for each of their connections would be most of what opening one costs.
 *
 * Snapshots, their routes and what is known of a client are never changed, only replaced whole. So the same objects are the same
 * question, and an answer goes with the first of them that goes: nothing is to be invalidated. Pure for the caller.
 */
import { formatKey } from '../api/object.ts';
import {
  decideEgress,
  decideIngress,
  decideOwnIngress,
  type Admission,
  type EgressQuestion,
  type IngressQuestion,
  type OwnIngressQuestion,
} from './decisions.ts';

export interface DecisionMemory {
  egress(question: EgressQuestion): Admission;
  ingress(question: IngressQuestion): Admission;
  ownIngress(question: OwnIngressQuestion): Admission;
}

/** For one `self`. */
export function makeDecisionMemory(): DecisionMemory {
  const egress = makeMemory<Admission>();
  const ingress = makeMemory<Admission>();
  const ownIngress = makeMemory<Admission>();
  return {
    egress(question) {
      const { routes, route, source, client } = question;
      return egress([routes, route, source, client], () => decideEgress(question));
    },
    ingress(question) {
      const { routes, peer, asserted } = question;
      const route = routes.exports.get(formatKey(question.export));
      const peerRoute = routes.peers.get(peer);
      // What is not here, or has no Peer object, is refused without a question, or is ClusterLink's stranger: rare.
      if (route === undefined || peerRoute === undefined) return decideIngress(question);
      return ingress([routes, route, peerRoute, asserted ?? NOTHING_SAID], () => decideIngress(question));
    },
    ownIngress(question) {
      const { routes, client } = question;
      const route = routes.exports.get(formatKey(question.export));
      if (route === undefined) return decideOwnIngress(question);
      return ownIngress([routes, route, client], () => decideOwnIngress(question));
    },
  };
}

const NOTHING_SAID = {};

type Remember<Answer> = (about: readonly object[], answer: () => Answer) => Answer;

/** Each answer lives as long as all that it is about. The number of these is the same for each call. */
function makeMemory<Answer>(): Remember<Answer> {
  type Branch = WeakMap<object, Branch | { readonly answer: Answer }>;
  const root: Branch = new WeakMap();
  return (about, answer) => {
    let branch = root;
    for (let index = 0; index < about.length - 1; index++) {
      const key = about[index] as object;
      const next = (branch.get(key) as Branch | undefined) ?? new WeakMap();
      branch.set(key, next);
      branch = next;
    }
    const last = about.at(-1) as object;
    const known = branch.get(last) as { readonly answer: Answer } | undefined;
    if (known !== undefined) return known.answer;
    const leaf = { answer: answer() };
    branch.set(last, leaf);
    return leaf.answer;
  };
}
