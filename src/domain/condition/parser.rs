//! Words as a tree. Recursive descent; each level of nesting is counted.

use serde_json::Value;

use super::lexer::{Token, tokens, wrong};
use super::{DEPTH, Node, Operand, SyntaxError};

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    /// Index of the word that comes next. The last one is `End` and is never passed.
    next: usize,
    depth: usize,
}

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0 };
    let node = parser.or()?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.expected("&&, || or the end")),
    }
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Node, SyntaxError> {
        let mut any = vec![self.and()?];
        while self.take(&Token::Or) {
            any.push(self.and()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Node::Or(any) })
    }

    fn and(&mut self) -> Result<Node, SyntaxError> {
        let mut all = vec![self.not()?];
        while self.take(&Token::And) {
            all.push(self.not()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::And(all) })
    }

    fn not(&mut self) -> Result<Node, SyntaxError> {
        if self.depth == DEPTH {
            return Err(self.wrong(format!("is nested deeper than {DEPTH}")));
        }
        self.depth += 1;
        let node = if self.take(&Token::Not) {
            Node::Not(Box::new(self.not()?))
        } else if self.take(&Token::Open) {
            let node = self.or()?;
            if !self.take(&Token::Close) {
                return Err(self.expected("&&, || or )"));
            }
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, SyntaxError> {
        let left = self.operand()?;
        let Token::Operator(operator) = *self.peek() else { return Ok(Node::Is(left)) };
        self.next += 1;
        Ok(Node::Compare(left, operator, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, SyntaxError> {
        let operand = match self.peek().clone() {
            Token::Path(path) => Operand::Fact(path),
            Token::Literal(value) => Operand::Literal(value),
            Token::ListOpen => return self.list(),
            _ => return Err(self.expected("a fact, a text, a number or a list")),
        };
        self.next += 1;
        Ok(operand)
    }

    fn list(&mut self) -> Result<Operand, SyntaxError> {
        self.next += 1;
        let mut elements = Vec::new();
        if self.take(&Token::ListClose) {
            return Ok(Operand::Literal(Value::Array(elements)));
        }
        loop {
            let Token::Literal(value) = self.peek().clone() else { return Err(self.expected("a text or a number")) };
            self.next += 1;
            elements.push(value);
            if self.take(&Token::ListClose) {
                return Ok(Operand::Literal(Value::Array(elements)));
            }
            if !self.take(&Token::Comma) {
                return Err(self.expected(", or ]"));
            }
        }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn take(&mut self, token: &Token) -> bool {
        let taken = self.peek() == token;
        self.next += usize::from(taken && *token != Token::End);
        taken
    }

    fn expected(&self, what: &str) -> SyntaxError {
        self.wrong(format!("expected {what}"))
    }

    fn wrong(&self, message: String) -> SyntaxError {
        wrong(self.text, self.tokens[self.next].0, message)
    }
}
