//! Scenario layer: edges from Graphviz DOT (graphviz.org/doc/info/lang.html): the whole language
//! but for text joined with `+`; attributes other than latency and rate are left aside.
//!
//! An own reader: no parser under a licence that this project can use tells on which line an
//! attribute stands.

use std::collections::BTreeMap;

use super::{Fault, Link, Names, Row, meaning};

/// How deep subgraphs may be nested; the reader calls itself for each.
const MAX_DEPTH: usize = 50;

/// A piece of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    /// A name or number as written, or a keyword.
    Word(String),
    /// Text in quotes or angle brackets, which is never a keyword.
    Quoted(String),
    /// `--` (false) or `->` (true).
    Arrow(bool),
    /// One of `{ } [ ] ; , = :`.
    Sign(char),
    End,
}

impl Token {
    /// How an error names it.
    fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) => format!("\"{}\"", super::brief(text)),
            Self::Arrow(directed) => if *directed { "\"->\"" } else { "\"--\"" }.into(),
            Self::Sign(sign) => format!("\"{sign}\""),
            Self::End => "the end of the text".into(),
        }
    }
}

/// Cuts the text into tokens.
struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lexer<'a> {
    /// Takes so many bytes and counts their lines.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Takes what lies between `open` and the next `close`.
    fn enclosed(&mut self, open: &str, close: &str, what: &str) -> Result<&'a str, Fault> {
        let line = self.line;
        self.take(open.len());
        let Some(end) = self.rest.find(close) else {
            return Err(Fault::new(line, format!("{what} is not closed")));
        };
        let content = self.take(end);
        self.take(close.len());
        Ok(content)
    }

    fn skip_blanks(&mut self, at_start: &mut bool) -> Result<(), Fault> {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            *at_start |= self.take(blanks).contains('\n');
            if self.rest.starts_with("/*") {
                self.enclosed("/*", "*/", "a comment")?;
            } else if self.rest.starts_with("//") || (*at_start && self.rest.starts_with('#')) {
                // A line that starts with # is a leftover of the C preprocessor.
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else {
                return Ok(());
            }
        }
    }

    /// The next token and its line.
    fn next(&mut self) -> Result<(Token, usize), Fault> {
        self.skip_blanks(&mut (self.line == 1))?;
        let line = self.line;
        let Some(first) = self.rest.chars().next() else { return Ok((Token::End, line)) };
        let token = match first {
            '{' | '}' | '[' | ']' | ';' | ',' | '=' | ':' => {
                self.take(1);
                Token::Sign(first)
            }
            '"' => Token::Quoted(self.quoted()?),
            '<' => Token::Quoted(self.html()?),
            _ if self.rest.starts_with("--") || self.rest.starts_with("->") => {
                Token::Arrow(self.take(2) == "->")
            }
            _ => {
                let number = first == '-' || first == '.' || first.is_ascii_digit();
                let part = |c: char| match number {
                    true => c.is_ascii_digit() || c == '.',
                    false => c.is_alphanumeric() || c == '_' || !c.is_ascii(),
                };
                let sign = usize::from(first == '-');
                let end = self.rest[sign..].find(|c| !part(c)).map(|end| end + sign);
                let word = self.take(end.unwrap_or(self.rest.len()));
                if word.is_empty() || word == "-" {
                    return Err(Fault::new(line, format!("\"{first}\" is not expected here")));
                }
                Token::Word(word.into())
            }
        };
        Ok((token, line))
    }

    /// Text in quotes: `\"` is a quote and a backslash before a line end joins the lines.
    fn quoted(&mut self) -> Result<String, Fault> {
        let line = self.line;
        self.take(1);
        let mut text = String::new();
        loop {
            let Some(end) = self.rest.find(['"', '\\']) else {
                return Err(Fault::new(line, "a text in quotes is not closed"));
            };
            text.push_str(self.take(end));
            if self.rest.starts_with('"') {
                self.take(1);
                return Ok(text);
            }
            if self.rest.starts_with("\\\"") || self.rest.starts_with("\\\\") {
                text.push_str(&self.take(2)[1..]);
            } else if self.rest.starts_with("\\\n") {
                self.take(2);
            } else {
                text.push_str(self.take(1));
            }
        }
    }

    /// Text in balanced angle brackets.
    fn html(&mut self) -> Result<String, Fault> {
        let mut open = 0_usize;
        for (place, sign) in self.rest.char_indices() {
            match sign {
                '<' => open += 1,
                '>' => open -= 1,
                _ => {}
            }
            if open == 0 {
                let text = self.take(place + 1);
                return Ok(text[1..text.len() - 1].into());
            }
        }
        Err(Fault::new(self.line, "a text in angle brackets is not closed"))
    }
}

/// The values of edge attributes by name.
type Values = BTreeMap<String, String>;

/// Reads statements with one token of foresight.
struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    line: usize,
    directed: bool,
    names: Names,
    rows: Vec<Row>,
}

/// Reads the rows of a DOT text.
pub(super) fn read(text: &str, nodes: usize) -> Result<Vec<Row>, Fault> {
    let mut parser = Parser {
        lexer: Lexer { rest: text, line: 1 },
        token: Token::End,
        line: 1,
        directed: false,
        names: Names::default(),
        rows: Vec::new(),
    };
    parser.advance()?;
    parser.keyword("strict")?;
    parser.directed = parser.keyword("digraph")?;
    if !parser.directed && !parser.keyword("graph")? {
        return Err(parser.unexpected("graph or digraph"));
    }
    if matches!(parser.token, Token::Word(_) | Token::Quoted(_)) {
        parser.advance()?;
    }
    parser.block(&Values::new(), 0)?;
    if parser.token != Token::End {
        return Err(parser.unexpected("the end of the text after one graph"));
    }
    parser.names.resolve(&mut parser.rows, nodes)?;
    Ok(parser.rows)
}

impl Parser<'_> {
    /// Moves to the next token and gives the one before.
    fn advance(&mut self) -> Result<Token, Fault> {
        let (token, line) = self.lexer.next()?;
        self.line = line;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn unexpected(&self, expected: &str) -> Fault {
        Fault::new(self.line, format!("{} where {expected} is expected", self.token.shown()))
    }

    /// Takes a sign if it is next.
    fn sign(&mut self, sign: char) -> Result<bool, Fault> {
        let found = self.token == Token::Sign(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes a keyword if it is next; case does not matter.
    fn keyword(&mut self, word: &str) -> Result<bool, Fault> {
        let found = matches!(&self.token, Token::Word(text) if text.eq_ignore_ascii_case(word));
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes a name, number or text.
    fn id(&mut self, expected: &str) -> Result<String, Fault> {
        if !matches!(self.token, Token::Word(_) | Token::Quoted(_)) {
            return Err(self.unexpected(expected));
        }
        match self.advance()? {
            Token::Word(text) | Token::Quoted(text) => Ok(text),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// `{ statements }`; gives the nodes mentioned in it. `defaults` apply to the edges in it, and
    /// what it changes in them ends with it.
    fn block(&mut self, defaults: &Values, depth: usize) -> Result<Vec<u32>, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(self.line, format!("subgraphs nested {depth} deep")));
        }
        if !self.sign('{')? {
            return Err(self.unexpected("\"{\""));
        }
        let (mut defaults, mut members) = (defaults.clone(), Vec::new());
        while !self.sign('}')? {
            if self.token == Token::End {
                return Err(self.unexpected("\"}\""));
            }
            if !self.sign(';')? {
                self.statement(&mut defaults, &mut members, depth)?;
            }
        }
        Ok(members)
    }

    fn statement(
        &mut self,
        defaults: &mut Values,
        members: &mut Vec<u32>,
        depth: usize,
    ) -> Result<(), Fault> {
        if self.keyword("edge")? {
            defaults.extend(self.attributes()?);
            return Ok(());
        }
        if self.keyword("node")? || self.keyword("graph")? {
            return self.attributes().map(drop);
        }
        let line = self.line;
        let Some(first) = self.operand(defaults, depth)? else { return Ok(()) };
        let mut chain = vec![first];
        while let Token::Arrow(directed) = self.token {
            if directed != self.directed {
                let [kind, sign] = if directed { ["graph", "--"] } else { ["digraph", "->"] };
                return Err(self.unexpected(&format!("\"{sign}\" of a {kind}")));
            }
            self.advance()?;
            let next = self.operand(defaults, depth)?;
            chain.push(next.ok_or_else(|| self.unexpected("a node"))?);
        }
        let given = self.attributes()?;
        if chain.len() > 1 {
            let mut values = defaults.clone();
            values.extend(given);
            self.add_edges(&chain, &values, line)?;
        }
        members.extend(chain.into_iter().flatten());
        Ok(())
    }

    /// A node or a subgraph; `None` for an assignment such as `rankdir = LR`.
    fn operand(&mut self, defaults: &Values, depth: usize) -> Result<Option<Vec<u32>>, Fault> {
        if self.keyword("subgraph")? && self.token != Token::Sign('{') {
            self.id("a name or \"{\"")?;
        }
        if self.token == Token::Sign('{') {
            return self.block(defaults, depth + 1).map(Some);
        }
        let line = self.line;
        let name = self.id("a node")?;
        if self.sign('=')? {
            self.id("a value")?;
            return Ok(None);
        }
        // A port and a compass point say where an edge touches the drawn node.
        while self.sign(':')? {
            self.id("a port")?;
        }
        Ok(Some(vec![self.names.place(&name, line)]))
    }

    /// Every node of each operand is linked with every node of the next one.
    fn add_edges(&mut self, chain: &[Vec<u32>], values: &Values, line: usize) -> Result<(), Fault> {
        let mut link = Link::default();
        for (name, value) in values {
            link.set(name, value).map_err(|why| Fault::new(line, format!("{name}: {why}")))?;
        }
        for pair in chain.windows(2) {
            for (&from, &to) in pair[0].iter().flat_map(|a| pair[1].iter().map(move |b| (a, b))) {
                if self.rows.len() as u64 >= super::super::MAX_EDGES {
                    let limit = super::super::MAX_EDGES;
                    return Err(Fault::new(line, format!("more than {limit} edges")));
                }
                self.rows.push(Row { line, from, to, link, directed: self.directed });
            }
        }
        Ok(())
    }

    /// All attribute lists that follow; only those that mean something here are kept.
    fn attributes(&mut self) -> Result<Values, Fault> {
        let mut values = Values::new();
        while self.sign('[')? {
            while !self.sign(']')? {
                let name = self.id("an attribute or \"]\"")?;
                let value = if self.sign('=')? { self.id("a value")? } else { String::new() };
                if meaning(&name).is_some() {
                    values.insert(name, value);
                }
                let _ = self.sign(',')? || self.sign(';')?;
            }
        }
        Ok(values)
    }
}
