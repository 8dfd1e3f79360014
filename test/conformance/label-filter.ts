/** Ginkgo's label filters, as far as people use them: names, /patterns/, `!`, `&&`, `||` or `,`, and brackets. Pure. */

export type LabelFilter = (labels: readonly string[]) => boolean;

const TOKEN = /\s*(&&|\|\||[!(),]|\/[^/]+\/|[A-Za-z0-9_.:-]+)\s*/y;

/**
 * Names are compared without regard to case, as Ginkgo does. `!` binds first, then `&&`, then `||`.
 * @throws SyntaxError with what is wrong and where.
 */
export function parseLabelFilter(text: string): LabelFilter {
  const tokens = toTokens(text);
  let next = 0;
  const takeAny = (...wanted: string[]): boolean => {
    if (!wanted.includes(tokens[next] ?? '')) return false;
    next += 1;
    return true;
  };

  function either(): LabelFilter {
    const parts = [both()];
    while (takeAny('||', ',')) parts.push(both());
    return (labels) => parts.some((part) => part(labels));
  }
  function both(): LabelFilter {
    const parts = [single()];
    while (takeAny('&&')) parts.push(single());
    return (labels) => parts.every((part) => part(labels));
  }
  function single(): LabelFilter {
    if (takeAny('!')) {
      const negated = single();
      return (labels) => !negated(labels);
    }
    if (takeAny('(')) {
      const inner = either();
      if (!takeAny(')')) throw new SyntaxError(`label filter ${text}: a bracket is not closed`);
      return inner;
    }
    const token = tokens[next];
    if (token === undefined || /^\W/.test(token.replace(/^\/.*/, 'pattern'))) {
      throw new SyntaxError(
        `label filter ${text}: a label is missing ${token === undefined ? 'at the end' : `before ${token}`}`,
      );
    }
    next += 1;
    return toMatcher(token);
  }

  const filter = either();
  if (next < tokens.length) throw new SyntaxError(`label filter ${text}: ${tokens[next]} is not expected there`);
  return filter;
}

function toTokens(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw new SyntaxError(`label filter ${text}: not understood from character ${at + 1} on`);
    tokens.push(token);
  }
  return tokens;
}

function toMatcher(token: string): LabelFilter {
  if (!token.startsWith('/')) {
    const wanted = token.toLowerCase();
    return (labels) => labels.some((label) => label.toLowerCase() === wanted);
  }
  const pattern = new RegExp(token.slice(1, -1));
  return (labels) => labels.some((label) => pattern.test(label));
}
