"""How the embedded reasoner was made: data, tokenizer, training, export, evaluation. Only this needs torch."""
