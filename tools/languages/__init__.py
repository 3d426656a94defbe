"""The languages of the console and the SDK: find the texts in the scripts, and compare them with the files of the languages."""
