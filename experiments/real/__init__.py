"""A real pretrained model as it is: how it is made ready, what it is asked, what is measured."""
