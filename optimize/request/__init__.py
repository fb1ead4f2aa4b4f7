"""What the commands are asked, each as one frozen value that is checked when it is made."""
